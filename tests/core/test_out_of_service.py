from cart.core import out_of_service
from cart.core.catalog import Catalog
from cart.core.effects import SetPanel, Show
from cart.core.events import Restored, Tick
from cart.core.setup import Setup
from cart.core.trip import Line, Trip
from cart.core.weight import Calibration

SETUP = Setup(Calibration(400_000, 0), Catalog("1", "EUR", []))


def test_the_basket_is_shown_and_staff_are_called():
    trip = Trip(lines=(Line(1, "milk", "Milk", "piece", 1_000_000, 129, 129, "scanned"),), phase="shopping")
    _, effects = out_of_service.step(out_of_service.initial(SETUP), Restored(1, 2, "0" * 16, trip))
    shown = next(effect.screen for effect in effects if isinstance(effect, Show))
    assert (shown.phase, shown.help, shown.total_minor, shown.currency) == ("out_of_service", True, 129, "EUR")
    assert [line.name for line in shown.lines] == ["Milk"]
    assert SetPanel("red", "attention") in effects


def test_an_empty_cart_is_out_of_service_too():
    _, effects = out_of_service.step("EUR", Restored(1, 2, "0" * 16))
    assert any(isinstance(effect, Show) for effect in effects)


def test_nothing_else_has_any_effect():
    assert out_of_service.step("EUR", Tick(1, 2)) == ("EUR", ())
