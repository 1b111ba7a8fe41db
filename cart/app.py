"""The wiring diagram of the cart: configuration -> clock, database, devices -> loop.

        scale, vision link ────┐                      ┌─> database (the money), then its answer comes back
        panel, kiosk, broker ──┼─> loop ─> core.step ─┼─> kiosk, panel, broker, keep-a-picture, journal
        database answers ──────┘     └─> recorder     ┘

Only here, and in the vision process, are devices chosen; what an absent device needs is never imported. A device that
is missing costs its function and says so; configuration, catalogue, keys and database must be right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from importlib import resources
from pathlib import Path
from typing import TYPE_CHECKING

from cart import __version__, config
from cart.clock import SystemClock
from cart.core import out_of_service
from cart.core import step as core
from cart.core.events import SourceLost
from cart.core.legal import Legal
from cart.core.setup import Costs, Setup
from cart.core.weight_values import Calibration, Limits
from cart.daemon import Daemon
from cart.edge.calibration_file import read_calibration
from cart.edge.catalog_file import load_catalog
from cart.edge.crashes import CrashBook, lock
from cart.edge.ids import fresh_ids, random_hex
from cart.edge.journal import Journal
from cart.edge.link import KeepSender, LinkReader
from cart.edge.panel import PanelPoller
from cart.edge.patient import Patient
from cart.edge.recorder import Recorder
from cart.edge.seal import SEAL_NAME, sealed
from cart.edge.systemd import Notifier
from cart.faults import Fault
from cart.loop import Loop
from cart.wire import recording
from cart.wire.calibration import CalibrationRecord
from cart.wire.kiosk import about_scale
from cart.wire.messages import Origin

if TYPE_CHECKING:
    from cart.core.catalog import Catalog
    from cart.edge.broker import Broker
    from cart.edge.database import Database
    from cart.edge.kiosk import Kiosk
    from cart.edge.writer import DatabaseWriter
    from cart.ports import Clock, Panel, Source

UNCALIBRATED = Calibration(counts_per_kg=1, zero_counts=0)
"""Stands in where there is no calibration record; the scale is not started then, so it never weighs anything."""

BYTES_PER_MB = 1_000_000


def build(settings: config.Config) -> Daemon:
    """Return the daemon of this configuration, wired and not started; Fault where it cannot run at all."""
    state_dir, run_dir = Path(settings.cart.state_dir), Path(settings.cart.run_dir)
    held = lock(state_dir)
    clock = SystemClock()
    fresh_id = fresh_ids(clock)
    crashes = CrashBook(state_dir, clock)

    # What the core is built from.
    catalog = load_catalog(settings.catalog.path)
    record, uncalibrated = _calibration(Path(settings.scale.calibration))
    legal, for_trade = _legal(settings, record)
    setup = setup_of(settings, catalog, record, legal, sealed=for_trade)
    mode = "out_of_service" if crashes.too_many() else "service"
    initial, step = (out_of_service.initial, out_of_service.step) if mode != "service" else (core.initial, core.step)

    # The world around it.
    database, writer, broker = _store(settings, clock, fresh_id)
    if for_trade:
        _check_log(settings, database)
    recorder = Recorder(
        Path(settings.recording.dir),
        _head(settings, setup, mode, clock, fresh_id()),
        clock,
        settings.recording.rotate_mb * BYTES_PER_MB,
    )
    kiosk = _kiosk(settings.kiosk, clock, setup, fresh_id)
    screen = Patient(kiosk, clock)
    panel = _panel(settings.panel, run_dir, clock, fresh_id)
    scale = None if uncalibrated else scale_reader(settings.scale, run_dir, clock)
    link = Patient(LinkReader(run_dir, clock), clock)
    keep = KeepSender(run_dir)
    notifier = Notifier()

    loop = Loop(
        step=step,
        state=initial(setup),
        clock=clock,
        recorder=recorder,
        sinks=[sink for sink in (writer, kiosk, panel, broker, keep, Journal()) if sink],
        feed=notifier.alive,
        dead=crashes.end_process,
    )
    # The order of start: the screen first, the goods last, so that whatever is put in meets a cart that is all there.
    sources: list[Source | None] = [screen, panel, broker, link, scale]
    return Daemon(
        loop=loop,
        recorder=recorder,
        writer=writer,
        sources=tuple(source for source in sources if source),
        first_events=(
            database.restored(clock.monotonic_ns(), clock.wall_ms()),
            *([SourceLost(clock.monotonic_ns(), "scale", str(uncalibrated))] if uncalibrated else []),
        ),
        crashes=crashes,
        notifier=notifier,
        at_end=(keep.close, database.close, held.close),
        describe=lambda: _described(settings, mode, uncalibrated, str(screen.fault or kiosk.url)),
    )


def setup_of(
    settings: config.Config,
    catalog: Catalog,
    record: CalibrationRecord | None,
    legal: Legal | None = None,
    *,
    sealed: bool = False,
) -> Setup:
    """Return what the core is given: the configuration in its terms, for both use the same names."""
    values = config.to_dict(settings)
    costs, limits = Costs(**values["decision"]), Limits(**values["weight"])
    return Setup(
        record.calibration() if record else UNCALIBRATED,
        catalog,
        costs=costs,
        weight=limits,
        not_for_trade=not sealed,
        converter=record.converter.serial if record else "",
        legal=legal or Legal(),
    )


def _calibration(path: Path) -> tuple[CalibrationRecord | None, Fault | None]:
    try:
        return read_calibration(path), None
    except Fault as fault:
        return None, fault


def _legal(settings: config.Config, record: CalibrationRecord | None) -> tuple[Legal, bool]:
    """Return what trade weighing is set up with, and whether a jumper seals the build: nothing in cart.toml does."""
    from cart.edge.gpio import SEAL_PINS, seal_jumper_closed

    panel = settings.panel
    taken = {panel.gate_pin, panel.help_pin, panel.red_pin, panel.green_pin, panel.buzzer_pin}
    closed = not taken & SEAL_PINS and seal_jumper_closed()
    if closed and not settings.scale.device.startswith("serial:"):
        raise Fault("LEGAL-SEAL-BAD", f"[scale] device is {settings.scale.device}: not the cell on its port")
    seal_path = Path(settings.scale.calibration).with_name(SEAL_NAME)
    return sealed(record, seal_path, settings.cart.id, settings.kiosk.pixel_pitch_um, jumper_closed=closed)


def _check_log(settings: config.Config, database: Database) -> None:
    """LEGAL-LOG-BAD: nothing is weighed for trade on a log that was touched."""
    from cart.edge.keys import cart_signer

    database.legal_records(cart_signer(Path(settings.keys.dir)).verifier)


def _store(
    settings: config.Config, clock: Clock, fresh_id: Callable[[], str]
) -> tuple[Database, DatabaseWriter, Broker]:
    """Return the money on disk, its writer, and the way to the store."""
    from cart.edge.broker import Address, Broker
    from cart.edge.database import Identity, open_database
    from cart.edge.inbox import Inbox
    from cart.edge.keys import cart_signer, store_verifiers
    from cart.edge.writer import DatabaseWriter

    keys_dir = Path(settings.keys.dir)
    signer, verifiers = cart_signer(keys_dir), store_verifiers(keys_dir)
    origin = Origin(settings.cart.chain, settings.cart.store, settings.cart.id)
    database = open_database(config.database_path(settings), clock, random_hex)
    inbox = Inbox(origin, database.incarnation, verifiers, database.take_command, fresh_id, clock)
    address = Address(settings.broker.host, settings.broker.port, settings.broker.keepalive_s)
    broker = Broker(address, origin, database.incarnation, database.outbox_row, inbox, clock)
    return database, DatabaseWriter(database, Identity(origin, signer), clock), broker


def _kiosk(kiosk: config.Kiosk, clock: Clock, setup: Setup, fresh_id: Callable[[], str]) -> Kiosk:
    from cart.edge.kiosk import Kiosk

    about = about_scale(setup, kiosk.pixel_pitch_um)
    return Kiosk(kiosk.host, kiosk.port, clock, setup.catalog, fresh_id, about)


def _panel(pins: config.Panel, run_dir: Path, clock: Clock, fresh_id: Callable[[], str]) -> PanelPoller | None:
    def gpio() -> Panel:
        from cart.edge.gpio import GpioPanel

        return GpioPanel(pins, clock)

    def simulated() -> Panel:
        from cart.sim.panel import SimulatedPanel

        return SimulatedPanel(str(run_dir / "world.sock"))

    openers = {"gpio": gpio, "simulated": simulated}
    return PanelPoller(openers[pins.device], clock, fresh_id) if pins.device in openers else None


def scale_reader(scale: config.Scale, run_dir: Path, clock: Clock) -> Source:
    """Return the source of the load cell's readings; also for `cart scale watch` and `calibrate`."""
    from cart.edge.scale import FileLine, ScaleReader, SerialLine

    kind, _, place = scale.device.partition(":")
    if kind == "file":
        return ScaleReader(lambda: FileLine(Path(place), clock), clock)
    port = place if kind == "serial" else str(run_dir / "loadcell")  # simulated: the world's pseudo-terminal
    return ScaleReader(lambda: SerialLine(port, scale.baud), clock)


def _head(settings: config.Config, setup: Setup, mode: str, clock: Clock, run_id: str) -> recording.Head:
    return recording.Head(
        run_id=run_id,
        part=1,
        first_event=1,
        t_ns=clock.monotonic_ns(),
        wall_ms=clock.wall_ms(),
        version=__version__,
        cart=settings.cart.id,
        mode=mode,
        config=config.render(settings),
        model_sha256=_model_sha256(settings.classifier.model_dir),
        setup=recording.setup_to_dict(setup),
    )


def _model_sha256(model_dir: str) -> str:
    """Return the hash of the model's manifest, which holds the hashes of its files; "" where there is no model."""
    folder = Path(model_dir) if model_dir else resources.files("cart") / "models"
    try:
        return hashlib.sha256((folder / "manifest.json").read_bytes()).hexdigest()
    except OSError:
        return ""


def _described(settings: config.Config, mode: str, uncalibrated: Fault | None, screen: str) -> str:
    scale = str(uncalibrated) if uncalibrated else settings.scale.device
    state = "out of service after three crashes" if mode == "out_of_service" else f"scale {scale}"
    broker = f"{settings.broker.host}:{settings.broker.port}"
    return f"{settings.cart.id}: {state}, panel {settings.panel.device}, broker {broker}; screen {screen}"
