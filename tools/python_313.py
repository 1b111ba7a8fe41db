"""Environments of Python 3.13 beside .venv: for replays on another Python, and for emupos, which needs it.

python -m tools.python_313 replay|emupos      makes it, and prints its Python; exit 1 with the reason where it cannot
"""

import shutil
import sys
from pathlib import Path
from typing import NamedTuple

from tools.measuring import ROOT, NotMeasured, finished


class Environment(NamedTuple):
    """One environment: its folder in the checkout, what pip installs, what proves that it is there."""

    folder: str
    packages: tuple[str, ...]
    proof: str


ENVIRONMENTS = {
    "replay": Environment(".venv-3.13", ("msgspec", "biip"), "import msgspec, biip"),
    # An independent simulator of shop scales (Apache-2.0), used by tests only and as a program of its own.
    "emupos": Environment(".venv-emupos", ("emupos>=0.4,<0.5",), "import emupos, fastapi, uvicorn"),
}


def environment(name: str) -> Path:
    """Return the Python of an environment, made if it is not there; NotMeasured with the reason where it cannot be."""
    made = existing(name)
    if made is not None:
        return made
    folder, packages, _ = ENVIRONMENTS[name]
    finished([interpreter("3.13"), "-m", "venv", "--clear", str(ROOT / folder)], 120)
    python = ROOT / folder / "bin" / "python"
    result = finished([str(python), "-m", "pip", "install", "-q", *packages], 600)
    if result.returncode:
        raise NotMeasured(f"cannot install {' '.join(packages)} for Python 3.13: {result.stderr.strip()[-120:]}")
    return python


def existing(name: str) -> Path | None:
    """Return the Python of an environment that is there and complete, else None."""
    folder, _, proof = ENVIRONMENTS[name]
    python = ROOT / folder / "bin" / "python"
    if not python.exists() or finished([str(python), "-c", proof], 60).returncode:
        return None
    return python


def interpreter(version: str) -> str:
    """Return a Python of this version, such as "3.13"; a name on PATH may be a stub, so each is run."""
    check = f"import sys, venv; sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"
    pyenv = sorted(map(str, Path.home().glob(f".pyenv/versions/{version}*/bin/python3")))
    for name in filter(None, [shutil.which(f"python{version}"), *pyenv]):
        try:
            if finished([name, "-c", check], 60).returncode == 0:
                return name
        except OSError:
            continue
    raise NotMeasured(f"no Python {version} here")


if __name__ == "__main__":
    if sys.argv[1:] not in [[name] for name in ENVIRONMENTS]:
        sys.exit(__doc__)
    try:
        print(environment(sys.argv[1]))
    except NotMeasured as reason:
        sys.exit(str(reason))
