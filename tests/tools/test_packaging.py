"""setup.py: the package holds all of its files, and each machine gets the packages that exist for it."""

import runpy
import subprocess
import sys
import types
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from cart import __version__


def setup_arguments():
    """Return what setup.py passes to setuptools, which a virtual environment need not hold."""
    passed = {}
    stand_in = types.ModuleType("setuptools")
    stand_in.setup = passed.update
    stand_in.find_packages = lambda **kinds: kinds["include"]
    before = sys.modules.get("setuptools")
    sys.modules["setuptools"] = stand_in
    try:
        runpy.run_path(str(Path(__file__).resolve().parents[2] / "setup.py"))
    finally:
        if before is None:
            del sys.modules["setuptools"]
        else:
            sys.modules["setuptools"] = before
    return passed


@pytest.fixture(scope="module")
def metadata():
    return setup_arguments()


@pytest.mark.parametrize(
    ("machine", "python", "runtime"),
    [
        ("aarch64", "3.11", ["tflite-runtime"]),
        ("aarch64", "3.13", ["ai-edge-litert"]),
        ("x86_64", "3.11", ["ai-edge-litert"]),
        ("x86_64", "3.13", ["ai-edge-litert"]),
        ("arm64", "3.12", ["ai-edge-litert"]),
        ("armv7l", "3.11", []),
    ],
)
def test_each_machine_gets_the_runtime_that_exists_for_it(metadata, machine, python, runtime):
    here = {"platform_machine": machine, "python_version": python}
    wanted = [Requirement(line) for line in metadata["install_requires"]]
    names = [r.name for r in wanted if r.marker is None or r.marker.evaluate(here)]
    assert [name for name in names if name in ("tflite-runtime", "ai-edge-litert")] == runtime
    numpy_below_2 = any(r.name == "numpy" and "<2" in str(r.specifier) and r.marker.evaluate(here) for r in wanted)
    assert numpy_below_2 == ("tflite-runtime" in runtime), "tflite-runtime is compiled against numpy 1, nothing else is"


def test_the_two_owners_of_rpi_gpio_are_never_in_one_extra(metadata):
    for extra, lines in metadata["extras_require"].items():
        names = {Requirement(line).name for line in lines}
        assert not {"rpi-lgpio", "RPi.GPIO"} <= names, extra


def test_every_extra_that_the_set_up_asks_for_exists(metadata, repository):
    script = (repository / "tools" / "setup.sh").read_text(encoding="utf-8")
    asked = [line.split("extras=")[1].split()[0] for line in script.splitlines() if "extras=" in line]
    names = {name for text in asked for name in text.strip('";').replace("$extras", "").split(",") if name}
    assert names == {"dev", "web", "pi"}
    assert names <= set(metadata["extras_require"])


def test_every_data_file_of_the_package_is_installed_with_it(metadata, repository):
    listed = subprocess.run(["git", "ls-files", "cart"], capture_output=True, text=True, cwd=repository, timeout=60)
    if listed.returncode:
        pytest.skip("not a git checkout")
    root = repository / "cart"
    installed = {found for pattern in metadata["package_data"]["cart"] for found in root.glob(pattern)}
    data = [repository / name for name in listed.stdout.splitlines() if not name.endswith(".py")]
    assert [str(file) for file in data if file.is_file() and file not in installed] == []


def test_every_folder_with_code_is_a_package(repository):
    folders = {file.parent for file in (repository / "cart").rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").is_file()] == []


def test_the_version_is_stated_once(metadata):
    assert metadata["version"] == __version__
