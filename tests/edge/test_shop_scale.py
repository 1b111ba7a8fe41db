"""The driver of a shop scale on a pseudo-terminal, against the simulated scale: asked, unplugged, plugged in again."""

import threading

import pytest

from cart.clock import SystemClock
from cart.edge.shop_scale import ShopLine, ShopScale, find_protocol, ports_here
from cart.faults import Fault
from cart.sim.cell_port import CellPort
from cart.sim.shop_scale import Showing, SimulatedShopScale
from cart.wire.shop_scales.indication import Kind
from cart.wire.shop_scales.protocols import PROTOCOLS, by_name

WAIT_NS = 10_000_000_000


class Till:
    """A scale and its driver at the two ends of a cable, both stepped by `until`."""

    def __init__(self, folder, protocol):
        self.port = CellPort(folder, "shop-scale")
        self.scale = SimulatedShopScale(protocol)
        self.clock = SystemClock()
        self.driver = ShopScale(lambda: ShopLine(str(self.port.link), protocol.baud), protocol, self.clock)
        self.said = []

    def until(self, wanted):
        """Return the first indication that `wanted` accepts."""
        end_ns, pause = self.clock.monotonic_ns() + WAIT_NS, threading.Event()
        while self.clock.monotonic_ns() < end_ns:
            now_ns = self.clock.monotonic_ns()
            self.port.write(self.scale.step(now_ns, self.port.read()))
            for said in self.driver.look():
                self.said.append(said)
                if wanted(said):
                    return said
            pause.wait(0.005)
        raise AssertionError(f"not said: {self.said[-3:]}")


@pytest.fixture(params=PROTOCOLS, ids=lambda p: p.name)
def till(request, tmp_path):
    till = Till(tmp_path, request.param)
    till.scale.showing = Showing(Kind.STABLE, 1_250_000)
    till.driver.open()
    yield till
    till.driver.close()
    till.port.unplug()


def has_number(said):
    return said.mass_mg is not None


def is_silent(said):
    return said.kind == Kind.SILENT


def test_a_weight_comes_over_the_cable(till):
    assert till.until(has_number).mass_mg == pytest.approx(1_250_000, abs=4_536)


def test_an_unplugged_cable_is_a_silent_scale_and_a_plugged_one_is_found_again(till):
    till.until(has_number)
    till.port.unplug()
    assert "SHOP-SCALE-PORT" in till.until(is_silent).why
    assert till.driver.fault is not None
    till.scale.showing = Showing(Kind.STABLE, 400_000)
    till.port.replug()
    assert till.until(has_number).mass_mg == pytest.approx(400_000, abs=4_536)
    assert till.driver.fault is None


def test_a_frame_that_was_cut_by_the_unplugging_is_not_put_together_with_the_next(tmp_path):
    till = Till(tmp_path, by_name("cas-22"))
    till.driver.open()
    till.until(has_number)
    till.port.write(b"ST,GS,1\xc4,00")
    till.port.unplug()
    till.until(is_silent)
    till.port.replug()
    till.scale.showing = Showing(Kind.SILENT)
    while till.driver.fault is not None:
        till.until(lambda said: True)
    said = len(till.said)
    till.port.write(b"0013.5 kg\r\n")
    till.until(lambda said: said.kind == Kind.FAULTY)
    assert [s for s in till.said[said:] if s.mass_mg is not None] == []
    till.driver.close()


def test_a_port_that_is_not_there_names_those_that_are(tmp_path):
    with pytest.raises(Fault, match=r"SHOP-SCALE-PORT.*ports here: "):
        ShopLine(str(tmp_path / "none"), 9_600)


def test_the_ports_of_the_machine_are_named_by_their_lasting_name_first(tmp_path):
    assert ports_here(tmp_path) == "none"
    (tmp_path / "serial" / "by-id").mkdir(parents=True)
    for name in ("ttyUSB0", "serial/by-id/usb-FTDI", "ttyS0"):
        (tmp_path / name).touch()
    assert ports_here(tmp_path) == f"{tmp_path}/serial/by-id/usb-FTDI, {tmp_path}/ttyUSB0"


def test_the_scale_is_held_for_us_alone(till):
    with pytest.raises(Fault, match="SHOP-SCALE-PORT"):
        ShopLine(str(till.port.link), 9_600)


def test_an_unknown_protocol_is_a_fault_with_the_list():
    with pytest.raises(Fault, match=r"SHOP-SCALE-PROTOCOL.*'toledo' is none of toledo-8217"):
        find_protocol("toledo")
