"""Wheels: whether they fit an image, whether they are complete, and what they put into a virtual environment.

A wheel is installed by unpacking it (PEP 427), so an environment for another processor is made without running it.
"""

import posixpath
import zipfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from email.parser import HeaderParser
from pathlib import Path

from packaging.markers import default_environment
from packaging.requirements import InvalidRequirement, Requirement
from packaging.tags import Tag, compatible_tags, cpython_tags
from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from cart.faults import Fault
from tools.imaging.entries import Entry
from tools.imaging.facts import Release

GLIBC_FIRST = (2, 17)
"""manylinux2014: the oldest C library that wheels for aarch64 are made for."""

UNPACKED_BYTES_MAX = 2_000_000_000
LAYOUT = {"purelib": "", "platlib": "", "data": "../../../", "scripts": "../../../bin/"}
"""Folder of NAME.data -> where it goes from site-packages (PEP 427)."""


@dataclass(frozen=True)
class Wheel:
    """A wheel file; name is normalized."""

    path: Path
    name: str
    version: str
    tags: frozenset[Tag]


def platforms(release: Release, machine: str = "aarch64") -> list[str]:
    """Return the platform tags that run on a release, newest first.

    All of them have to be named: asking for manylinux2014 alone misses tflite-runtime (2_34) and zxing-cpp (2_28).
    """
    major, minor = release.glibc
    tags = [f"manylinux_{major}_{m}_{machine}" for m in range(minor, GLIBC_FIRST[1] - 1, -1)]
    return [*tags, f"manylinux2014_{machine}", f"linux_{machine}"]


def fitting_tags(release: Release, machine: str = "aarch64") -> frozenset[Tag]:
    """Return every tag that a wheel for the release may have."""
    names = platforms(release, machine)
    abi = f"cp{release.python[0]}{release.python[1]}"
    compiled = cpython_tags(release.python, [abi], names)
    return frozenset(compiled) | frozenset(compatible_tags(release.python, abi, names))


def read_folder(folder: Path) -> list[Wheel]:
    """Return the wheels in a folder, sorted by name.

    Raises IMAGE-WHEELS where there is none, one is given twice, or a name is not a wheel's.
    """
    found: dict[str, Wheel] = {}
    for path in sorted(folder.glob("*.whl")):
        try:
            name, version, _, tags = parse_wheel_filename(path.name)
        except InvalidWheelFilename as error:
            raise Fault("IMAGE-WHEELS", str(error)) from None
        if name in found:
            raise Fault("IMAGE-WHEELS", f"{name} is there twice: {found[name].path.name} and {path.name}")
        found[name] = Wheel(path, name, str(version), tags)
    if not found:
        raise Fault("IMAGE-WHEELS", f"{folder} holds no wheel")
    return [found[name] for name in sorted(found)]


def check_fit(wheels: Iterable[Wheel], release: Release, machine: str = "aarch64") -> None:
    """Refuse wheels that the image's Python cannot load: IMAGE-WHEEL-TAG names them all."""
    fitting = fitting_tags(release, machine)
    wrong = [wheel.path.name for wheel in wheels if not wheel.tags & fitting]
    if wrong:
        python = f"cp{release.python[0]}{release.python[1]}"
        libc = f"glibc {release.glibc[0]}.{release.glibc[1]}"
        raise Fault("IMAGE-WHEEL-TAG", f"{release.codename} is {python}, {machine}, {libc}: {', '.join(wrong)}")


def check_complete(wheels: list[Wheel], release: Release, wanted: Iterable[str] = (), machine: str = "aarch64") -> None:
    """Refuse a set in which one wheel asks for another that is not there: IMAGE-WHEELS names all that is missing.

    wanted  further requirements, as in setup.py; those whose marker does not apply on the cart are passed over
    """
    versions = {wheel.name: wheel.version for wheel in wheels}
    here = target_environment(release, machine)
    missing = []
    for asker, line in [("the cart", line) for line in wanted] + [(w.name, line) for w in wheels for line in _needs(w)]:
        need = Requirement(line)
        if need.marker is not None and not need.marker.evaluate(here):
            continue
        version = versions.get(canonicalize_name(need.name))
        if version is None or not need.specifier.contains(version, prereleases=True):
            missing.append(f"{asker} needs {need.name}{need.specifier}" + (f", not {version}" if version else ""))
    if missing:
        raise Fault("IMAGE-WHEELS", "; ".join(missing))


def target_environment(release: Release, machine: str) -> dict[str, str]:
    """Return what markers are judged by: the cart's Python, not the one that runs this."""
    python = f"{release.python[0]}.{release.python[1]}"
    told = {"python_version": python, "python_full_version": f"{python}.0", "platform_machine": machine, "extra": ""}
    told |= {"sys_platform": "linux", "platform_system": "Linux", "os_name": "posix"}
    return {**default_environment(), "implementation_name": "cpython", **told}  # type: ignore[dict-item]


def entries(wheel: Wheel, site: str, scratch: Path) -> Iterator[Entry]:
    """Yield what a wheel puts into `site`, its content unpacked into `scratch`.

    site  absolute path of site-packages in the image, ENVIRONMENT/lib/pythonX.Y/site-packages

    No byte code: it would differ from one build to the next, and Python makes it where it may write.
    """
    if sum(info.file_size for info in _infos(wheel)) > UNPACKED_BYTES_MAX:
        raise Fault("IMAGE-WHEELS", f"{wheel.path.name} unpacks to more than {UNPACKED_BYTES_MAX // 10**9} GB")
    with zipfile.ZipFile(wheel.path) as archive:
        for number, info in enumerate(_infos(wheel)):
            place, script = _place(info.filename, wheel)
            path = posixpath.normpath(posixpath.join(site, place))
            if not path.startswith(posixpath.normpath(f"{site}/../../..") + "/"):
                raise Fault("IMAGE-NAME", f"{wheel.path.name} would write {path}")
            copy, data = scratch / f"{wheel.name}-{number}", archive.read(info)
            if script and data.startswith(b"#!python"):  # stands for the environment's own interpreter (PEP 427)
                data = b"#!" + posixpath.normpath(f"{site}/../../../bin/python3").encode() + data[len("#!python") :]
            copy.write_bytes(data)
            executable = script or (info.external_attr >> 16) & 0o111
            yield Entry(path, mode=0o755 if executable else 0o644, data=copy)
            if place.endswith(".dist-info/RECORD"):
                yield Entry(posixpath.join(posixpath.dirname(path), "INSTALLER"), data=b"tools/image.py\n")


def _place(name: str, wheel: Wheel) -> tuple[str, bool]:
    """Return where a member goes from site-packages, and whether it is a script."""
    top, _, rest = name.partition("/")
    if not top.endswith(".data"):
        return name, False
    kind, _, inner = rest.partition("/")
    if kind == "headers":
        return f"../../../include/{wheel.name}/{inner}", False
    if kind not in LAYOUT:
        raise Fault("IMAGE-WHEELS", f"{wheel.path.name} holds {name}, which belongs nowhere")
    return LAYOUT[kind] + inner, kind == "scripts"


def _infos(wheel: Wheel) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(wheel.path) as archive:
            return sorted((info for info in archive.infolist() if not info.is_dir()), key=lambda info: info.filename)
    except (OSError, zipfile.BadZipFile) as error:
        raise Fault("IMAGE-WHEELS", f"{wheel.path.name} cannot be unpacked: {error}") from None


def _needs(wheel: Wheel) -> list[str]:
    """Return the Requires-Dist lines of a wheel."""
    inside = next((i.filename for i in _infos(wheel) if i.filename.endswith(".dist-info/METADATA")), None)
    if inside is None:
        raise Fault("IMAGE-WHEELS", f"{wheel.path.name} has no METADATA")
    with zipfile.ZipFile(wheel.path) as archive:
        told = HeaderParser().parsestr(archive.read(inside).decode("utf-8", "replace"))
    lines = told.get_all("Requires-Dist") or []
    try:
        return [line for line in lines if Requirement(line)]
    except InvalidRequirement as error:
        raise Fault("IMAGE-WHEELS", f"{wheel.path.name}: {error}") from None
