"""The processes of the live bench: broker, back office, world, vision, daemon. Ends only what it started.

Everything lives in one folder: configuration, keys, sockets, database, recordings, ledger, and a log file for each
process. Ports are free ones, so two benches run side by side. Whatever dies is started again, as systemd does on a
cart and in a store.
"""

from __future__ import annotations

import json
import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cart import config
from cart.clock import SystemClock
from cart.faults import Fault
from cart.sim.physics import Params
from cart.sim.world_link import WorldLink
from cart.wire import calibration

log = logging.getLogger("cart.bench")

PATIENCE_S = 20.0
POLL_S = 0.05
RESTART_S = 0.5
END_S = 6.0
SOCKET_PATH_MAX = 100
LOG_TAIL_LINES = 12
LOADED_MG = (0, 5_000_000, 15_000_000, 5_000_000)
"""What the made-up calibration was made with: zero, two masses up, one down."""


@dataclass(slots=True)
class _Program:
    """A process that should run: how to start it, and the one that does."""

    command: list[str]
    process: subprocess.Popen[bytes] | None = None
    wanted: bool = True
    restarts: int = 0


class Stack:
    """Starts, watches and ends the processes; use it in a `with` statement.

    screen_port, page_port, broker_port  of 127.0.0.1
    restarts                             how often a program had to be started again, by name
    """

    def __init__(self, folder: Path, seed: int, swap_labels: bool = False) -> None:
        """Choose ports and write the configuration; nothing runs yet. Fault BROKER-MISSING without mosquitto."""
        self.folder = folder.resolve()
        self.folder.mkdir(parents=True, exist_ok=True)
        self._logs = self.folder / "logs"
        self._logs.mkdir(exist_ok=True)
        self.broker_port, self.screen_port, self.page_port = _free_ports(3)
        self.config = _config(self.folder, self.broker_port, self.screen_port)
        self.run_dir = Path(self.config.cart.run_dir)
        self._write_files()
        self._programs = self._commands(_mosquitto(), seed, swap_labels)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._network: WorldLink | None = None
        self._watcher = threading.Thread(target=self._watch, name="watch", daemon=True)

    @property
    def screen_url(self) -> str:
        """Where the shopper's screen is."""
        return f"http://127.0.0.1:{self.screen_port}/"

    @property
    def page_url(self) -> str:
        """Where the bench page is."""
        return f"http://127.0.0.1:{self.page_port}/"

    @property
    def restarts(self) -> dict[str, int]:
        """How often each program had to be started again."""
        return {name: program.restarts for name, program in self._programs.items() if program.restarts}

    def __enter__(self) -> Stack:
        """Start everything and wait until it answers; Fault BENCH-PROCESS when something does not."""
        try:
            self._start_all()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        """End what was started."""
        self.stop()

    def stop(self) -> None:
        """End the processes in the reverse order of their start; safe to call twice."""
        self._stopped.set()
        if self._watcher.is_alive():
            self._watcher.join(END_S)
        if self._network is not None:
            self._network.close()
        for program in reversed(self._programs.values()):
            program.wanted = False
            _end(program.process)
            program.process = None
        if self.run_dir.parent != self.folder:
            shutil.rmtree(self.run_dir, ignore_errors=True)

    def kill(self, name: str) -> None:
        """Kill a program with SIGKILL, as a crash would; it is started again."""
        process = self._programs[name].process
        if process is not None:
            process.kill()

    def pid(self, name: str) -> int:
        """Return the process id of a program, 0 while it does not run."""
        process = self._programs[name].process
        return process.pid if process is not None and process.poll() is None else 0

    def rss_kb(self, name: str) -> int:
        """Return the memory that a program holds now, in KiB; 0 while it does not run."""
        return _rss_kb(self.pid(name))

    def ledger(self) -> list[dict[str, Any]]:
        """Return the charges in the store's ledger."""
        done = self._run_once("ledger", "--db", self._db, "-o", "json")
        return [json.loads(line) for line in done.splitlines()]

    def fault(self, name: str, what: str) -> Fault:
        """Return the fault that says what is wrong with a program, and the end of its log."""
        return Fault("BENCH-PROCESS", f"{name} {what}; its log says:\n{self._log_tail(name)}")

    # -- start -------------------------------------------------------------------------------

    @property
    def _db(self) -> str:
        return f"sqlite:{self.folder / 'ledger.sqlite3'}"

    def _commands(self, mosquitto: str, seed: int, swap_labels: bool) -> dict[str, _Program]:
        """Return the programs in the order of their start."""
        python, toml = [sys.executable, "-m"], str(self.folder / "cart.toml")
        world = ["cart.sim.world", "--run-dir", str(self.run_dir), "--seed", str(seed)]
        world += ["--page-port", str(self.page_port), "--screen", self.screen_url]
        world += ["--swap-labels"] if swap_labels else []
        store = ["cart.backoffice", "serve", "--db", self._db, "--broker", f"127.0.0.1:{self.broker_port}"]
        return {
            "broker": _Program([mosquitto, "-c", str(self.folder / "mosquitto.conf")]),
            "store": _Program([*python, *store, "--keys", str(self.folder / "store-keys")]),
            "world": _Program([*python, *world]),
            "cart": _Program([*python, "cart", "run", "--config", toml]),
            "vision": _Program([*python, "cart", "vision", "--config", toml]),
        }

    def _write_files(self) -> None:
        for folder in (self.run_dir, Path(self.config.keys.dir), Path(self.config.recording.dir)):
            folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "cart.toml").write_text(config.render(self.config), encoding="utf-8")
        (self.folder / "mosquitto.conf").write_text(
            # As the user who runs the bench: a change of user would also undo `_with_us`.
            f"user root\nlistener {self.broker_port} 127.0.0.1\nallow_anonymous true\npersistence false\n",
            encoding="utf-8",
        )
        path = Path(self.config.scale.calibration)
        if not path.exists():
            path.write_bytes(calibration.encode(calibration.chained(exact_calibration(self.config.cart.id), None)))

    def _start_all(self) -> None:
        self._run_once("keys", "init", "--keys", str(self.folder / "store-keys"))
        keys = Path(self.config.keys.dir)
        for name in ("store.pub", "pictures.pub"):
            shutil.copy(self.folder / "store-keys" / name, keys / name)
        for name in ("broker", "store", "world"):
            self._start(name)
        self._await("broker", lambda: _listens(self.broker_port))
        self._await("world", lambda: (self.run_dir / "world.sock").exists() and _listens(self.page_port))
        self._start("cart")
        # The cart makes its key at its first start; the store must know it before the first charge.
        self._await("cart", lambda: (keys / "cart.pub").exists() and _listens(self.screen_port))
        self._run_once("keys", "register", self.config.cart.id, str(keys / "cart.pub"), "--keys", self._store_keys)
        self._start("vision")
        self._network = WorldLink(str(self.run_dir / "world.sock"), "network")
        self._watcher.start()

    @property
    def _store_keys(self) -> str:
        return str(self.folder / "store-keys")

    def _start(self, name: str) -> None:
        program = self._programs[name]
        with (self._logs / f"{name}.log").open("ab") as output:
            # A session of its own: Ctrl-C in the terminal is for the bench, which then ends the rest in order.
            program.process = subprocess.Popen(
                [*_with_us(), *program.command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )

    def _await(self, name: str, ready: Any) -> None:
        clock = SystemClock()
        until_ns = clock.monotonic_ns() + int(PATIENCE_S * 1e9)
        while not ready():
            process = self._programs[name].process
            ended = process is not None and process.poll() is not None
            if ended or clock.monotonic_ns() > until_ns:
                what = f"ended with {process.returncode}" if ended and process else f"does not answer in {PATIENCE_S} s"
                raise self.fault(name, what)
            self._stopped.wait(POLL_S)

    def _run_once(self, *words: str) -> str:
        command = [sys.executable, "-m", "cart.backoffice", *words]
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE_S, check=False)
        if done.returncode:
            raise Fault("BENCH-PROCESS", f"cart-backoffice {' '.join(words[:2])}: {done.stderr.strip()[-500:]}")
        return done.stdout

    def _log_tail(self, name: str) -> str:
        lines = (self._logs / f"{name}.log").read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"    {line}" for line in lines[-LOG_TAIL_LINES:])

    # -- watch -------------------------------------------------------------------------------

    def _watch(self) -> None:
        """Start again what died; take the broker away while the world says that the network is cut."""
        while not self._stopped.wait(RESTART_S):
            self._follow_network()
            for name, program in self._programs.items():
                if program.wanted and program.process is not None and program.process.poll() is not None:
                    program.restarts += 1
                    log.warning("%s ended with %s; started again", name, program.process.returncode)
                    self._start(name)

    def _follow_network(self) -> None:
        broker = self._programs["broker"]
        try:
            if self._network is None:
                self._network = WorldLink(str(self.run_dir / "world.sock"), "network")
            cut = self._network.latest().get("network") == "cut"
        except OSError:
            self._network = None
            return
        if cut and broker.wanted:
            broker.wanted = False
            _end(broker.process)
        elif not cut and not broker.wanted:
            broker.wanted = True
            self._start("broker")


def _config(folder: Path, broker_port: int, screen_port: int) -> config.Config:
    base = config.simulated(folder)
    run_dir = folder / "run"
    if len(str(run_dir / "world.sock")) > SOCKET_PATH_MAX:
        # A Unix socket's path has 107 bytes; a deep folder gets a short one beside it.
        run_dir = Path(tempfile.mkdtemp(prefix="cart-run-"))
    return config.Config(
        cart=config.Cart(run_dir=str(run_dir), state_dir=base.cart.state_dir),
        scale=base.scale,
        camera=base.camera,
        panel=base.panel,
        broker=config.Broker(host="127.0.0.1", port=broker_port),
        keys=base.keys,
        kiosk=config.Kiosk(port=screen_port),
        recording=base.recording,
    )


def exact_calibration(cart: str) -> calibration.CalibrationRecord:
    """Return the record of a simulated cell, which is exact by construction."""
    p = Params()
    points = tuple(
        calibration.Point(mass_mg, p.zero_counts + mass_mg * p.counts_per_kg // 1_000_000, 38_000, 400)
        for mass_mg in LOADED_MG
    )
    return calibration.CalibrationRecord(
        cart=cart,
        operator="bench",
        wall_ms=SystemClock().wall_ms(),
        converter=calibration.Converter("SIM-0001", "HX711", 128, p.samples_per_s),
        points=points,
        counts_per_kg=p.counts_per_kg,
        zero_counts=p.zero_counts,
        residual_max_mg=0,
        max_mg=15_000_000,
        e_mg=5_000,
    )


def _with_us() -> list[str]:
    """Return the words before a command that let it end when the bench is killed, where the system knows how."""
    setpriv = shutil.which("setpriv")
    return [setpriv, "--pdeathsig", "TERM"] if setpriv else []


def _mosquitto() -> str:
    """Return the broker's program; Debian keeps it in sbin, which is not on everybody's path."""
    found = shutil.which(
        "mosquitto", path=os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"])
    )
    if found is None:
        raise Fault("BROKER-MISSING", "sudo apt install mosquitto")
    return found


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens on now, all different."""
    holders = [socket.create_server(("127.0.0.1", 0)) for _ in range(count)]
    ports = [holder.getsockname()[1] for holder in holders]
    for holder in holders:
        holder.close()
    return ports


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1.0).close()
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes] | None) -> None:
    if process is None or process.poll() is not None:
        return
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def _rss_kb(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii") if pid else ""
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmRSS:")), 0)
