"""A wheelhouse: the folder with every package that a cart of one OS release needs, as wheels, with their hashes.

Made once by `./tools/image.py wheelhouse` where there is a package registry, used by `build` where there is none.
"""

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cart.faults import Fault
from tools.imaging import copying, wheels
from tools.imaging.entries import file_sha256
from tools.imaging.facts import RELEASES, Release
from tools.imaging.wheels import Wheel

ROOT = Path(__file__).resolve().parents[2]
LISTS = ROOT / "firmware_config" / "wheels"
RECORD = "wheelhouse.json"
LINE = re.compile(r"([A-Za-z0-9][A-Za-z0-9._-]*)==([A-Za-z0-9.!+_-]+)((?:\s+--hash=sha256:[0-9a-f]{64})*)")


@dataclass(frozen=True)
class Wheelhouse:
    """Wheels that fit one release and need nothing beyond each other."""

    release: Release
    wheels: tuple[Wheel, ...]

    def rows(self) -> list[dict[str, str]]:
        """Return file name and hash of each wheel, as the manifest keeps them."""
        return [{"file": wheel.path.name, "sha256": file_sha256(wheel.path)} for wheel in self.wheels]


def list_file(release: Release) -> Path:
    """Return where the wheel list of a release is kept."""
    return LISTS / f"{release.codename}-cp{release.python[0]}{release.python[1]}.txt"


def read_list(path: Path) -> dict[str, str]:
    """Return name -> version of a wheel list: one `name==version` a line, comments with #; IMAGE-WHEELS for others."""
    found: dict[str, str] = {}
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except OSError as error:
        raise Fault("IMAGE-WHEELS", f"{path}: {error.strerror}") from None
    for number, raw in enumerate(lines, 1):
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        if not line:
            continue
        row = LINE.fullmatch(line)
        if not row:
            raise Fault("IMAGE-WHEELS", f"{path.name}:{number}: {line!r} is not name==version")
        name = wheels.canonicalize_name(row[1])
        if name in found:
            raise Fault("IMAGE-WHEELS", f"{path.name}:{number}: {name} is there twice")
        found[name] = row[2]
    return found


def opened(folder: Path, release: Release, wanted: list[str]) -> Wheelhouse:
    """Return the wheelhouse in a folder after checking it against the image's release.

    wanted  what the cart itself needs, as requirements

    Raises IMAGE-WHEEL-TAG where a wheel does not fit, IMAGE-WHEELS where one is missing or not the one recorded.
    """
    if not folder.is_dir():
        raise Fault("IMAGE-WHEELS", f"{folder} is not there: ./tools/image.py wheelhouse --release {release.codename}")
    found = wheels.read_folder(folder)
    wheels.check_fit(found, release)
    wheels.check_complete(found, release, wanted)
    recorded = _recorded(folder)
    for wheel in found:
        if recorded and recorded.get(wheel.path.name) != file_sha256(wheel.path):
            raise Fault("IMAGE-HASH", f"{wheel.path.name} is not the one in {RECORD}: fetch it again")
    gone = set(recorded) - {wheel.path.name for wheel in found}
    if gone:
        raise Fault("IMAGE-WHEELS", f"{', '.join(sorted(gone))} of {RECORD} are not there: fetch them again")
    return Wheelhouse(release, tuple(found))


def fetch(codename: str, folder: Path, needs: list[str]) -> dict[str, Any]:
    """Download the wheels of a release into `folder` with pip and return the record that is written beside them.

    needs  what the cart itself needs, as requirements

    Wheels that are there are kept, so an interrupted download goes on. Nothing is resolved: the list is the whole set,
    and its completeness is checked with the markers of the cart, which pip would judge by the machine it runs on.
    """
    release = RELEASES[codename]
    wanted = read_list(list_file(release))
    try:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / RECORD).unlink(missing_ok=True)
    except OSError as error:
        raise Fault("IMAGE-UNWRITABLE", f"{folder}: {error.strerror}") from None
    _forget_others(folder, wanted)
    command = [sys.executable, "-m", "pip", "download", "--disable-pip-version-check", "--no-deps", "-q"]
    command += ["--only-binary=:all:", "--implementation", "cp", "--python-version", "{}.{}".format(*release.python)]
    command += [f"--abi={abi}" for abi in ("cp{}{}".format(*release.python), "abi3", "none")]
    command += [f"--platform={name}" for name in (*wheels.platforms(release), "any")]
    command += ["--find-links", str(folder), "--dest", str(folder), "-r", str(list_file(release))]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Fault("IMAGE-WHEELS", f"pip: {_last_line(done.stderr)}")
    house = opened(folder, release, needs)
    record = {"release": codename, "python": "{}.{}".format(*release.python), "wheels": house.rows()}
    copying.put_text(json.dumps(record, indent=1) + "\n", folder / RECORD)
    return record


def _forget_others(folder: Path, wanted: dict[str, str]) -> None:
    """Remove wheels of other versions: a changed list must not leave a package twice."""
    for path in folder.glob("*.whl"):
        name, version = wheels.parse_wheel_filename(path.name)[:2]
        if wanted.get(name) != str(version):
            path.unlink()


def _recorded(folder: Path) -> dict[str, str]:
    try:
        told = json.loads((folder / RECORD).read_text(encoding="utf-8"))
        return {row["file"]: row["sha256"] for row in told["wheels"]}
    except FileNotFoundError:
        return {}
    except (ValueError, KeyError, TypeError):
        raise Fault("IMAGE-WHEELS", f"{folder / RECORD} cannot be read: fetch the wheels again") from None


def _last_line(text: str) -> str:
    lines = [line for line in text.splitlines() if line.startswith("ERROR")] or text.strip().splitlines() or ["failed"]
    # The registry's address is of no use to anybody and differs from place to place.
    return re.sub(r"https?://\S+", "(the registry)", lines[0])
