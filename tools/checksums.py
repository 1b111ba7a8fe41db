"""SHA-256 of everything that is put on a device beside the package, as `sha256sum -c` reads it.

    sha256sum -c firmware_config/CHECKSUMS

Written by `python -m tools.write_texts`. An image that was built on another machine, or a year ago, can so be traced
to the files it was built from.
"""

import hashlib
from pathlib import Path

FOLDERS = ("firmware_config", "systemd")
NAME = "firmware_config/CHECKSUMS"


def files(root: Path) -> list[str]:
    """Return the paths below `root` that the list covers, sorted, with / between their parts."""
    found = (path for folder in FOLDERS for path in (root / folder).rglob("*") if path.is_file())
    return sorted(name for name in (path.relative_to(root).as_posix() for path in found) if _counts(name))


def checksums_text(root: Path) -> str:
    """Return what CHECKSUMS has to say of the checkout at `root`."""
    return "".join(f"{hashlib.sha256((root / name).read_bytes()).hexdigest()}  {name}\n" for name in files(root))


def _counts(name: str) -> bool:
    """Leave out the list itself, and what editors, merges and Python leave behind."""
    return name != NAME and not name.endswith(("~", ".orig", ".rej", ".swp", ".part", ".pyc"))
