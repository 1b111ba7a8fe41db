"""What no machine here can run is compared with the source of the package that will run it."""

import ast
import importlib.util
from pathlib import Path

import pytest

from cart.clock import ManualClock
from cart.config import Panel as PanelConfig
from cart.edge import gpio
from cart.edge.gpio import SOUNDS, GpioPanel, buzzes
from cart.faults import Fault


def rpi_gpio_source():
    """Return the path of RPi.GPIO's Python source, without importing it, or None."""
    try:
        spec = importlib.util.find_spec("RPi")  # the parent only: RPi.GPIO itself refuses to be imported off a Pi
    except (ImportError, ValueError):
        return None
    folders = list(spec.submodule_search_locations or []) if spec else []
    sources = [Path(folder) / "GPIO" / "__init__.py" for folder in folders]
    return next((source for source in sources if source.is_file()), None)


def calls_of_the_module():
    """Yield (name, positional count, keywords) of each `gpio.name(...)` in our module."""
    for node in ast.walk(ast.parse(Path(gpio.__file__).read_text())):
        if not (isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute)):
            continue
        if ast.unparse(node.func.value) in ("gpio", "self._gpio"):
            yield node.func.attr, len(node.args), {keyword.arg for keyword in node.keywords}


def constants_of_the_module():
    names = (n for n in ast.walk(ast.parse(Path(gpio.__file__).read_text())) if isinstance(n, ast.Attribute))
    return {n.attr for n in names if ast.unparse(n.value) in ("gpio", "self._gpio") and n.attr.isupper()}


def test_every_function_and_keyword_used_exists_in_the_package():
    source = rpi_gpio_source()
    if source is None:
        pytest.skip("no Python source of RPi.GPIO: pip install --no-deps rpi-lgpio to compare")
    tree = ast.parse(source.read_text())
    functions = {n.name: n.args for n in tree.body if isinstance(n, ast.FunctionDef)}
    calls = list(calls_of_the_module())
    assert {"setmode", "setup", "input", "output", "cleanup"} <= {name for name, _, _ in calls}
    for name, positional, keywords in calls:
        arguments = [argument.arg for argument in functions[name].args]
        assert positional <= len(arguments), name
        assert keywords <= set(arguments[positional:]), name
    assigned = {t.id for n in ast.walk(tree) if isinstance(n, ast.Assign) for t in n.targets if isinstance(t, ast.Name)}
    imported = {a.asname or a.name for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) for a in n.names}
    assert constants_of_the_module() <= assigned | imported


def test_edge_detection_is_not_used():
    assert not {name for name, _, _ in calls_of_the_module()} & {"add_event_detect", "wait_for_edge", "PWM"}


@pytest.mark.parametrize(
    ("wiring", "closed"),
    [
        (lambda pulled, driven: driven, True),
        (lambda pulled, driven: pulled, False),  # open
        (lambda pulled, driven: False, False),  # shorted to ground
        (lambda pulled, driven: True, False),  # shorted to the supply
        (lambda pulled, driven: not driven, False),
    ],
    ids=["jumper", "open", "ground", "supply", "inverted"],
)
def test_only_a_wire_between_the_two_pins_seals(wiring, closed):
    pins = {"pulled": False, "driven": False}
    read = lambda: wiring(**pins)  # noqa: E731
    assert gpio.joined(lambda up: pins.update(pulled=up), lambda high: pins.update(driven=high), read) is closed


def test_off_a_pi_no_build_is_sealed():
    if rpi_gpio_is_real():
        pytest.skip("this is a Raspberry Pi")
    assert gpio.seal_jumper_closed() is False


def rpi_gpio_is_real():
    try:
        import RPi.GPIO  # noqa: F401
    except (ImportError, RuntimeError):
        return False
    return True


def test_off_a_pi_the_panel_says_so():
    try:
        import RPi.GPIO  # noqa: F401
    except (ImportError, RuntimeError):
        pass
    else:
        pytest.skip("this is a Raspberry Pi")
    with pytest.raises(Fault) as caught:
        GpioPanel(PanelConfig(), ManualClock())
    assert caught.value.code == "PANEL-MISSING"


def test_the_buzzer_keeps_to_its_spans():
    on = [ms for ms in range(0, 1000, 10) if buzzes("attention", ms)]
    assert (min(on), max(on), len(on)) == (0, 640, 45)
    assert [ms for ms in range(0, 1000, 10) if buzzes("ok", ms)] == list(range(0, 80, 10))
    assert not any(buzzes("", ms) for ms in range(1000))
    assert set(SOUNDS) == {"", "ok", "attention"}
