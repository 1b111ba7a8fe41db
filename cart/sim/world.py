"""The world process of the live bench: it outlives daemon and vision, as a shop does.

    python -m cart.sim.world --run-dir DIR [--catalog PATH] [--seed N] [--page-port N] [--swap-labels]

It owns the master end of the load cell's pseudo-terminal, which it feeds in real
time, and listens on DIR/world.sock (JSON lines): a client says its role first,

    {"role": "camera"}   is told what is in view
    {"role": "panel"}    is told help and gate, tells its light and sound
    {"role": "network"}  is told whether the way to the broker is cut
    {"role": "shopper"}  sends acts (cart/sim/hands.py), gets one answer for each

The bench page does the same over HTTP, with buttons.
"""

from __future__ import annotations

import argparse
import json
import logging
import selectors
import signal
import socket
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cart.clock import SystemClock
from cart.edge.catalog_file import load_catalog
from cart.ports import Clock
from cart.sim.cell_port import CellPort
from cart.sim.hands import Hands
from cart.sim.page import BenchPage
from cart.sim.physics import Platform
from cart.sim.pictures import Pictures, photo_folder
from cart.sim.wire_out import Converter
from cart.sim.world_link import LINE_BYTES_MAX

log = logging.getLogger("cart.world")

PERIOD_S = 0.0125
"""One conversion: what the serial port carries at a time."""

CLIENTS_MAX = 16
UNSENT_MAX = 1 << 18


@dataclass(eq=False)
class _Client:
    """A connection; unsent grows to UNSENT_MAX, then the client is dropped: it does not read."""

    socket: socket.socket
    role: str = ""
    received: bytes = b""
    unsent: bytes = field(default=b"")


class World:
    """The loop over time and connections; `act` may be called from any thread."""

    def __init__(self, run_dir: Path, hands: Hands, platform: Platform, clock: Clock) -> None:
        self.hands = hands
        self.panel = {"light": "off", "sound": ""}
        self._clock = clock
        self._platform = platform
        self._converter = Converter(platform)
        self._port = CellPort(run_dir)
        self._start_ns = clock.monotonic_ns()
        self._lock = threading.RLock()
        self._selector = selectors.DefaultSelector()
        self._clients: list[_Client] = []
        self._listening = _listen(run_dir / "world.sock")
        self._selector.register(self._listening, selectors.EVENT_READ, None)
        self._stopped = False
        hands.changed = self._tell

    def act(self, wanted: dict[str, Any]) -> dict[str, Any]:
        """Let somebody do something and return what will come of it."""
        with self._lock:
            t_ns = self._clock.monotonic_ns()
            self._advance(t_ns)
            # Acts count from where the platform is, which is up to one of its own steps behind the clock.
            answer = self.hands.act(wanted, self._start_ns + self._platform.now_us * 1_000, self._start_ns)
            if "truth" in answer:
                answer["connected"] = [client.role for client in self._clients]
            self._apply_scale()
            log.info("act %s -> %s", wanted, answer)
            return answer

    def run(self) -> None:
        """Let time pass until `stop`."""
        while not self._stopped:
            ready = self._selector.select(PERIOD_S)
            with self._lock:
                for key, _ in ready:
                    if key.data is None:
                        self._accept()
                    elif key.data in self._clients:
                        self._hear(key.data)
                self._advance(self._clock.monotonic_ns())
        self._port.unplug()
        self._listening.close()

    def stop(self) -> None:
        """End `run` within a period."""
        self._stopped = True

    # -- time ------------------------------------------------------------------------------

    def _advance(self, t_ns: int) -> None:
        self.hands.happen(t_ns)
        data, _ = self._converter.advance_to((t_ns - self._start_ns) // 1_000)
        if self.hands.scale == "well":
            self._port.write(data)

    def _apply_scale(self) -> None:
        if self.hands.scale == "unplugged":
            self._port.unplug()
        elif not self._port.plugged:
            self._converter.reboot()
            self._port.replug()

    # -- connections ------------------------------------------------------------------------

    def _accept(self) -> None:
        connection, _ = self._listening.accept()
        if len(self._clients) >= CLIENTS_MAX:
            connection.close()
            return
        connection.setblocking(False)
        client = _Client(connection)
        self._clients.append(client)
        self._selector.register(connection, selectors.EVENT_READ, client)

    def _hear(self, client: _Client) -> None:
        try:
            data = client.socket.recv(4_096)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        client.received += data
        if not data or len(client.received) > LINE_BYTES_MAX:
            self._drop(client)
            return
        *lines, client.received = client.received.split(b"\n")
        for line in lines:
            try:
                self._heard(client, json.loads(line))
            except (ValueError, AttributeError):
                log.warning("a client of role %r said nonsense: %r", client.role, line[:80])
                self._drop(client)
                return

    def _heard(self, client: _Client, said: dict[str, Any]) -> None:
        if not client.role:
            client.role = str(said["role"]) if "role" in said else "unknown"
            if client.role in self.hands.said:
                self._send(client, self.hands.said[client.role])
        elif client.role == "panel":
            self.panel.update({key: str(said[key]) for key in ("light", "sound") if key in said})
        elif client.role == "shopper":
            self._send(client, self.act(said))

    def _tell(self, role: str) -> None:
        for client in list(self._clients):
            if client.role == role:
                self._send(client, self.hands.said[role])

    def _send(self, client: _Client, value: dict[str, Any]) -> None:
        client.unsent += json.dumps(value).encode() + b"\n"
        try:
            sent = client.socket.send(client.unsent)
            client.unsent = client.unsent[sent:]
        except BlockingIOError:
            pass  # the next thing said brings the rest
        except OSError:
            self._drop(client)
            return
        if len(client.unsent) > UNSENT_MAX:
            self._drop(client)

    def _drop(self, client: _Client) -> None:
        if client in self._clients:
            self._clients.remove(client)
            self._selector.unregister(client.socket)
            client.socket.close()


def _listen(path: Path) -> socket.socket:
    path.unlink(missing_ok=True)
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(path))
    listening.listen(CLIENTS_MAX)
    listening.setblocking(False)
    return listening


def main(argv: list[str] | None = None) -> int:
    """Run the world until SIGTERM or SIGINT."""
    parser = argparse.ArgumentParser(prog="python -m cart.sim.world", description=__doc__.splitlines()[0])
    parser.add_argument("--run-dir", type=Path, required=True, help="where the sockets are")
    parser.add_argument("--catalog", default="", help="the catalogue; the demo store's if not given")
    parser.add_argument("--seed", type=int, default=7, help="of everything random")
    parser.add_argument("--page-port", type=int, default=0, help="of the bench page; 0: none")
    parser.add_argument("--screen", default="", help="address of the cart's screen, for the bench page's link")
    parser.add_argument("--swap-labels", action="store_true", help="give packages the code and picture of others")
    args = parser.parse_args(argv)
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(name)s %(message)s")
    platform = Platform(args.seed)
    pictures = Pictures(photo_folder())
    hands = Hands(load_catalog(args.catalog), pictures, platform, args.seed, args.swap_labels)
    world = World(args.run_dir, hands, platform, SystemClock())
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: world.stop())
    page = BenchPage(world, args.page_port, args.screen) if args.page_port else None
    log.info("the world turns; %s", pictures.words)
    world.run()
    if page:
        page.stop()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
