"""Processes that tests and tools start, wait for and kill: a mosquitto of their own, the back office, a cart.

Each is waited for by a line that it prints, so nothing here sleeps or guesses.
"""

import queue
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

READY_TIMEOUT_S = 30.0


class Spawned:
    """A child process whose output lines can be waited for.

    lines  what it printed and nobody waited for yet; None at its end
    """

    def __init__(self, name: str, command: list[str], log_path: Path, *, hear: str = "stdout") -> None:
        """Start `command`. Lines are taken from "stdout" or "stderr"; the other one goes to the end of `log_path`."""
        self.name = name
        self.lines: queue.Queue[str | None] = queue.Queue()
        with log_path.open("ab") as log:
            streams = {"stdout": log, "stderr": log, hear: subprocess.PIPE}
            self._process = subprocess.Popen(command, stdin=subprocess.DEVNULL, **streams)
        self._heard = self._process.stdout if hear == "stdout" else self._process.stderr
        self._log_path = log_path
        threading.Thread(target=self._read, daemon=True).start()

    @property
    def alive(self) -> bool:
        """Return True while the process runs."""
        return self._process.poll() is None

    def wait_for(self, text: str, timeout_s: float = READY_TIMEOUT_S) -> str:
        """Return the next line that holds `text`; TimeoutError when none comes, ChildProcessError at its end."""
        while True:
            try:
                line = self.lines.get(timeout=timeout_s)
            except queue.Empty:
                raise TimeoutError(f"{self.name} did not say {text!r} in {timeout_s:g} s") from None
            if line is None:
                raise ChildProcessError(f"{self.name} ended: {self._log_path.read_text(errors='replace')[-600:]}")
            if text in line:
                return line

    def heard(self) -> list[str]:
        """Return the lines it printed that nobody waited for; all of them once it has ended."""
        found = []
        while True:
            try:
                line = self.lines.get(timeout=0 if self.alive else READY_TIMEOUT_S)
            except queue.Empty:
                return found
            if line is None:
                self.lines.put(None)
                return found
            found.append(line)

    def kill(self) -> None:
        """End it as a power cut would: SIGKILL."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """Ask it to end; return its exit status."""
        return self._end(signal.SIGTERM)

    def _end(self, number: int) -> int:
        if self.alive:
            self._process.send_signal(number)
        try:
            return self._process.wait(READY_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            return self._process.wait()

    def _read(self) -> None:
        assert self._heard is not None
        for line in self._heard:
            self.lines.put(line.decode(errors="replace").rstrip("\n"))
        self.lines.put(None)


class LocalBroker:
    """A mosquitto on a loopback port of its own, which stays the same over restarts."""

    def __init__(self, folder: Path) -> None:
        """Write its configuration into `folder`; FileNotFoundError where there is no mosquitto."""
        binary = find_mosquitto()
        if binary is None:
            raise FileNotFoundError("there is no mosquitto here: apt install mosquitto")
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        self._folder = folder
        self._command = [binary, "-c", str(folder / "mosquitto.conf")]
        self._process: Spawned | None = None
        (folder / "mosquitto.conf").write_text(
            f"listener {self.port} 127.0.0.1\n"
            "allow_anonymous true\n"
            "persistence true\n"
            f"persistence_location {folder}/\n"
            "autosave_interval 1\n"
            "autosave_on_changes true\n"
            "log_dest stderr\n"
            # Started as root it would become the user mosquitto, who may not write here.
            "user root\n"
        )

    def start(self) -> None:
        """Start it and wait until it listens."""
        assert self._process is None
        self._process = Spawned("mosquitto", self._command, self._folder / "mosquitto.log", hear="stderr")
        self._process.wait_for("running")

    def kill(self) -> None:
        """SIGKILL."""
        if self._process is not None:
            self._process.kill()
            self._process = None

    def stop(self) -> None:
        """End it in order: it saves its state."""
        if self._process is not None:
            self._process.stop()
            self._process = None

    def wipe(self) -> None:
        """Throw its state away: sessions, queued and retained messages. It must not run."""
        assert self._process is None
        (self._folder / "mosquitto.db").unlink(missing_ok=True)


def back_office(folder: Path, port: int) -> Spawned:
    """Start the back office with its ledger and keys in `folder`; it says "serving" each time it is subscribed."""
    command = [sys.executable, "-m", "cart.backoffice", "-v", "serve", "--db", f"sqlite:{folder / 'ledger.sqlite3'}"]
    command += ["--broker", f"127.0.0.1:{port}", "--keys", str(folder / "keys")]
    return Spawned("back office", command, folder / "backoffice.log")


def find_mosquitto() -> str | None:
    """Return the mosquitto binary, or None; Debian puts it where a plain user's PATH does not look."""
    return shutil.which("mosquitto") or shutil.which("mosquitto", path="/usr/sbin:/usr/local/sbin")


def free_port() -> int:
    """Return a loopback port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
