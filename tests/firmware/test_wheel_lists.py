"""Exact versions for each release of the system, and all that the package needs there."""

import re
from importlib import metadata

import pytest

from tests.firmware.said import FOLDER, lines
from tests.tools.test_packaging import setup_arguments

LISTS = {path.stem: path for path in sorted((FOLDER / "wheels").glob("*.txt"))}


def pins(path):
    return dict(line.split("==") for line in lines(path))


def normal(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_there_is_a_list_for_each_release_and_its_python():
    assert list(LISTS) == ["bookworm-cp311", "trixie-cp313"]


@pytest.mark.parametrize("path", LISTS.values(), ids=list(LISTS))
def test_a_list_pins_exactly_and_in_order(path):
    said = lines(path)
    assert all(re.fullmatch(r"[A-Za-z0-9][\w.-]*==[\w.]+", line) for line in said)
    names = [normal(line.partition("==")[0]) for line in said]
    assert names == sorted(set(names))


@pytest.mark.parametrize("path", LISTS.values(), ids=list(LISTS))
def test_a_list_holds_what_the_package_needs_on_that_device(path):
    requirements = pytest.importorskip("packaging.requirements", reason="comes with pytest")
    major_minor = "3.11" if path.stem.endswith("cp311") else "3.13"
    machine = {"platform_machine": "aarch64", "python_version": major_minor, "sys_platform": "linux"}
    told = setup_arguments()
    extras = told["extras_require"]
    device = [*told["install_requires"], *extras["web"], *(extras["pi"] if major_minor == "3.11" else [])]
    versions = {normal(name): version for name, version in pins(path).items()}
    for text in device:
        need = requirements.Requirement(text)
        if need.marker is None or need.marker.evaluate(machine):
            assert need.specifier.contains(versions[normal(need.name)]), text
    for name in versions:
        assert name not in ("picamera2", "libcamera"), "from apt only"


def test_trixie_has_what_these_tests_run_with():
    here = {normal(dist.metadata["Name"]): dist.version for dist in metadata.distributions() if dist.metadata["Name"]}
    pinned = {normal(name): version for name, version in pins(LISTS["trixie-cp313"]).items()}
    shared = {name for name in ("msgspec", "zxing-cpp", "paho-mqtt", "biip") if name in here}
    assert shared
    assert {name: pinned[name].split(".")[0] for name in shared} == {name: here[name].split(".")[0] for name in shared}
