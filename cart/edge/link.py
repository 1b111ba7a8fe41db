"""The line between the daemon and the vision process: one datagram an event, on two Unix sockets in the run folder.

vision.sock is bound by the daemon and takes Sighted, Classified and VisionAlive; keep.sock is bound by the vision
process and takes KeepCrop. Either side may die and come back; the other goes on. What arrives is stamped here with
the daemon's clock, and everything the core relies on (lengths, ranges, moments) is checked before it enters.
"""

from __future__ import annotations

import fcntl
import logging
import os
import socket
import threading
from collections import deque
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, TextIO

from cart.core.effects import Effect, KeepCrop
from cart.core.events import SCORES_MAX, TEXT_MAX, Classified, Sighted, SourceBack, SourceLost, VisionAlive
from cart.core.odds import LIMIT_MILLINAT
from cart.faults import Fault
from cart.wire.codec import decode, encode

if TYPE_CHECKING:
    from cart.core.events import Event
    from cart.ports import Clock, Put

log = logging.getLogger("cart.link")

EVENTS_SOCKET, KEEP_SOCKET, KEEP_LOCK = "vision.sock", "keep.sock", "keep.lock"
DATAGRAM_BYTES_MAX = 16_384
SILENCE_NS = 2_000_000_000
"""Without a VisionAlive for so long the vision process counts as lost; it sends one a second."""

EVENTS_A_S_MAX = 500
"""Of the vision process; it sends some 50 while things pass. What comes beyond is dropped, not queued: a process that
went wild must not fill the daemon's queue, which ends the daemon."""

REFUSED_A_TURN = 16
"""Malformed requests that are passed over before the next frame is looked at."""

LOGGED_EVERY = 100
"""One refused datagram in so many is logged: a flood must not fill the log."""

WAIT_S = 0.2
PENDING_MAX = 64
LABEL_MAX = 128
ENGINES_MAX = 4


class LinkReader:
    """Source of what the vision process sees. refused: datagrams so far that were no valid events, or too many."""

    name = "vision"

    def __init__(self, run_dir: Path, clock: Clock) -> None:
        self.refused = 0
        self._path = run_dir / EVENTS_SOCKET
        self._clock = clock
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._lost = False
        self._identity: tuple[int, int] | None = None
        self._second, self._in_second = 0, 0

    def start(self, put: Put) -> None:
        """Bind the socket and begin to deliver; Fault RUN-DIR-BAD when the run folder cannot be used."""
        try:
            bound = bind(self._path)
            self._identity = _identity(self._path)
        except OSError as error:
            raise Fault("RUN-DIR-BAD", f"{self._path.parent}: {error.strerror or error}") from error
        bound.settimeout(WAIT_S)
        self._thread = threading.Thread(target=self._run, args=(bound, put), name="vision-link", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """End the thread and remove the socket; safe to call twice."""
        self._stopped.set()
        if self._thread:
            self._thread.join(timeout=5)
            self._thread = None

    def _run(self, bound: socket.socket, put: Put) -> None:
        alive_ns = self._clock.monotonic_ns()
        try:
            while not self._stopped.is_set():
                event = self._next(bound)
                now_ns = self._clock.monotonic_ns()
                if isinstance(event, VisionAlive):
                    alive_ns = now_ns
                    self._found(put, now_ns)
                elif now_ns - alive_ns > SILENCE_NS:
                    self._missed(put, now_ns)
                if event is not None and self._is_in_limit(now_ns):
                    put(event)
        finally:
            bound.close()
            _release(self._path, self._identity)

    def _is_in_limit(self, now_ns: int) -> bool:
        if now_ns // 1_000_000_000 != self._second:
            self._second, self._in_second = now_ns // 1_000_000_000, 0
        self._in_second += 1
        if self._in_second > EVENTS_A_S_MAX:
            self._refuse(f"more than {EVENTS_A_S_MAX} in a second")
            return False
        return True

    def _refuse(self, why: object) -> None:
        self.refused += 1
        if self.refused % LOGGED_EVERY == 1:
            log.warning("refused %d datagrams of the vision process, last: %s", self.refused, why)

    def _next(self, bound: socket.socket) -> Event | None:
        try:
            data = bound.recv(DATAGRAM_BYTES_MAX + 1)
        except TimeoutError:
            return None
        try:
            return accepted(data, self._clock.monotonic_ns())
        except ValueError as error:
            self._refuse(error)
            return None

    def _missed(self, put: Put, now_ns: int) -> None:
        if not self._lost:
            self._lost = True
            put(SourceLost(now_ns, self.name, f"no sign of life for {SILENCE_NS // 1_000_000_000} s"))

    def _found(self, put: Put, now_ns: int) -> None:
        if self._lost:
            self._lost = False
            put(SourceBack(now_ns, self.name))


class KeepSender:
    """Sink of KeepCrop. One that cannot be sent is dropped: a review picture is never worth waiting for."""

    def __init__(self, run_dir: Path) -> None:
        self.dropped = 0
        self._path = str(run_dir / KEEP_SOCKET)
        self._socket = _datagram_socket()

    def handle(self, effect: Effect) -> None:
        """Send KeepCrop to the vision process without blocking; ignore every other effect."""
        if isinstance(effect, KeepCrop) and not _sent(self._socket, encode(effect), self._path):
            self.dropped += 1

    def close(self) -> None:
        """Free the socket."""
        self._socket.close()


class EventSender:
    """The vision process's end: sends events to the daemon and never blocks.

    While the daemon is away or behind, the newest PENDING_MAX events wait and the oldest are dropped: a sighting of
    seconds ago no longer explains what lands in the basket now.
    """

    def __init__(self, run_dir: Path) -> None:
        self.dropped = 0
        self._path = str(run_dir / EVENTS_SOCKET)
        self._socket = _datagram_socket()
        self._pending: deque[bytes] = deque(maxlen=PENDING_MAX)

    def send(self, event: Event) -> None:
        """Send what waits, then this event; keep it if that is not possible now."""
        if len(self._pending) == PENDING_MAX:
            self.dropped += 1
        self._pending.append(encode(event))
        while self._pending and _sent(self._socket, self._pending[0], self._path):
            self._pending.popleft()

    def close(self) -> None:
        """Free the socket; what still waits is lost."""
        self._socket.close()


class KeepReceiver:
    """The vision process's ear for KeepCrop. refused: datagrams so far that were none."""

    def __init__(self, run_dir: Path) -> None:
        """Bind the socket; OSError where that cannot be done, or another vision process has it."""
        self.refused = 0
        self._path = run_dir / KEEP_SOCKET
        # A second process would take the name over, find that the camera has a user, and leave the first one deaf.
        self._lock = _locked(run_dir / KEEP_LOCK)
        try:
            self._socket = bind(self._path)
        except OSError:
            self._lock.close()
            raise
        self._socket.setblocking(False)

    def take(self) -> KeepCrop | None:
        """Return the next request, or None when there is none now; malformed ones are passed over, some at a time."""
        for _ in range(REFUSED_A_TURN):
            try:
                value = decode(self._socket.recv(DATAGRAM_BYTES_MAX + 1))
            except BlockingIOError:
                return None
            except ValueError as error:
                self._refuse(error)
                continue
            if isinstance(value, KeepCrop):
                return value
            self._refuse(f"{type(value).__name__} is no request")
        return None

    def close(self) -> None:
        """Free the socket and its name; safe to call twice."""
        self._socket.close()
        if not self._lock.closed:
            self._path.unlink(missing_ok=True)
            self._lock.close()

    def _refuse(self, why: object) -> None:
        self.refused += 1
        if self.refused % LOGGED_EVERY == 1:
            log.warning("refused %d requests for pictures, last: %s", self.refused, why)


def accepted(data: bytes, now_ns: int) -> Sighted | Classified | VisionAlive:
    """Return the event of a datagram, stamped with the moment of its arrival; ValueError when it is not acceptable.

    The vision process runs native decoders on whatever is held before the camera, so the daemon takes nothing from
    it on trust.
    """
    if len(data) > DATAGRAM_BYTES_MAX:
        raise ValueError("too long")
    event = decode(data)
    if isinstance(event, Sighted):
        _check_sighted(event)
    elif isinstance(event, Classified):
        _check_classified(event)
    elif not isinstance(event, VisionAlive):
        raise ValueError(f"{type(event).__name__} does not come from the vision process")
    elif event.frames < 0 or len(event.engines) > ENGINES_MAX or any(len(name) > LABEL_MAX for name in event.engines):
        raise ValueError("not a sign of life")
    if not isinstance(event, VisionAlive) and not 0 <= event.t_frame_ns <= now_ns:
        raise ValueError("a frame of the future")
    return replace(event, t_ns=now_ns)


def bind(path: Path) -> socket.socket:
    """Return a datagram socket bound to `path`, which only this user may write to; a stale name is taken over."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.unlink(missing_ok=True)
    bound = _datagram_socket()
    try:
        bound.bind(str(path))
        os.chmod(path, 0o600)
    except OSError:
        bound.close()
        raise
    return bound


def _locked(path: Path) -> TextIO:
    """Return the open file, which holds the lock until it is closed or the process is gone; OSError if it is held."""
    path.parent.mkdir(parents=True, exist_ok=True)
    file = path.open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        file.close()
        raise OSError(error.errno, "another vision process runs there") from None
    return file


def _identity(path: Path) -> tuple[int, int] | None:
    """Return what tells this name's socket from one that another process binds to it later; None without one."""
    try:
        found = path.lstat()
    except OSError:
        return None
    return found.st_dev, found.st_ino


def _release(path: Path, identity: tuple[int, int] | None) -> None:
    """Remove the name of a socket, unless another process has taken it over: that one would be deaf without it."""
    if _identity(path) == identity:
        path.unlink(missing_ok=True)


def _check_sighted(event: Sighted) -> None:
    if max(len(event.symbology), len(event.text)) > TEXT_MAX:
        raise ValueError("a code of too many characters")
    if event.gtin and not (len(event.gtin) == 14 and event.gtin.isascii() and event.gtin.isdigit()):
        raise ValueError("not a GTIN-14")
    if event.votes < 1 or event.track < 0:
        raise ValueError("votes or track out of range")


def _check_classified(event: Classified) -> None:
    values = (*(value for _, value in event.scores), event.none_millinat, event.rest_millinat)
    if len(event.scores) > SCORES_MAX or any(abs(value) > LIMIT_MILLINAT for value in values):
        raise ValueError("scores out of range")
    if any(len(label) > LABEL_MAX for label, _ in event.scores) or event.direction not in ("", "in", "out"):
        raise ValueError("not a label or direction")
    if event.frames < 1 or event.track < 0:
        raise ValueError("frames or track out of range")


def _datagram_socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC)
    made.setblocking(False)
    return made


def _sent(sender: socket.socket, data: bytes, path: str) -> bool:
    """Return True if the datagram is with the receiver; False when nobody listens or its queue is full."""
    try:
        sender.sendto(data, path)
    except OSError:
        return False
    return True
