"""What the load cell says and when: conversions, accelerations, identity, temperature, answers.

One turn does everything that is due and waits for nothing; the program is `while True: cell.turn()`.
"""

from loadcell import FIRMWARE, PROTOCOL, line
from loadcell.acquisition import Acquisition
from loadcell.commands import Commands
from loadcell.motion import Motion
from loadcell.outbox import Outbox
from loadcell.ticks import Clock32, Every

IDENTITY_EVERY_US = 5_000_000
TEMPERATURE_EVERY_US = 1_000_000
SUPPLY_EVERY_US = 100_000
DROPPED_EVERY_US = 1_000_000
LEAVE_TURNS_MAX = 2_000
"""So many tries to get an answer out before a restart that the host asked for."""


class Cell:
    """The program of the microcontroller.

    converter  as seam.py has it
    port       read() and write(), see port.py
    board      ticks_us(), feed() the watchdog, restart(into), supply_mv() or None, centi_c() or None; see board.py
    settings   Settings
    serial     the board's number, hexadecimal
    sensor     motion sensor as seam.py has it, or None
    start_us   what the clock says at first; tests begin near its end
    """

    def __init__(self, converter, port, board, settings, serial, sensor=None, start_us=0):
        """Say who speaks; the chip starts with the first turns."""
        self.clock = Clock32(board.ticks_us, start_us)
        self.outbox = Outbox(port)
        self._converter, self._port, self._board = converter, port, board
        self._settings, self._serial = settings, serial
        self._commands = Commands()
        self._acquisition = Acquisition(converter, self.clock, self.say)
        self._motion = Motion(sensor, self.clock, self.say) if sensor else None
        self._identity_due, self._temperature_due = Every(IDENTITY_EVERY_US), Every(TEMPERATURE_EVERY_US)
        self._supply_due, self._dropped_due = Every(SUPPLY_EVERY_US), Every(DROPPED_EVERY_US)
        self._dropped_told = 0
        self._standing = 0 if settings.reason is None else line.FLAG_CONFIG
        self._reset = board.reset_reason()

    def say(self, body):
        """Put the line of a body among those that go out."""
        self.outbox.put(line.framed(body))

    def turn(self):
        """Do what is due; waits for nothing."""
        now_us = self.clock.now_us()
        self._tell(now_us)
        self._acquisition.turn(now_us, self._standing)
        if self._motion:
            self._motion.turn(now_us, self._acquisition.seq)
        data = self._port.read()
        if data:
            self._hear(data)
        self.outbox.flush()
        self._board.feed()

    # -- what is due by the clock ----------------------------------------------------

    def _tell(self, now_us):
        if self._identity_due.due(now_us):
            self._introduce()
        if self._supply_due.due(now_us):
            self._judge_supply()
        if self._temperature_due.due(now_us):
            self._tell_temperature()
        if self._dropped_due.due(now_us) and self.outbox.dropped != self._dropped_told:
            self.say(line.fault("LINES-DROPPED", f"{self.outbox.dropped - self._dropped_told} lines were not taken"))
            self._dropped_told = self.outbox.dropped

    def _introduce(self):
        converter, settings = self._converter, self._settings
        self.say(
            line.identity(
                FIRMWARE,
                PROTOCOL,
                self._serial,
                converter.chip,
                converter.gain,
                converter.samples_per_s,
                settings.crc,
            )
        )
        if settings.reason is not None:
            self.say(line.fault("CONFIG-BAD", settings.reason))
        if self._reset:
            self.say(line.fault("RESET", self._reset))
            self._reset = None

    def _judge_supply(self):
        supply_mv, least_mv = self._board.supply_mv(), self._settings.supply_min_mv
        low = supply_mv is not None and supply_mv < least_mv
        self._standing = self._standing & ~line.FLAG_POWER_LOW | (line.FLAG_POWER_LOW if low else 0)

    def _tell_temperature(self):
        centi_c = None
        if self._settings.temperature == "motion" and self._motion:
            centi_c = self._motion.centi_c()
        elif self._settings.temperature == "board":
            centi_c = self._board.centi_c()
        known = centi_c is not None
        self._standing = self._standing & ~line.FLAG_TEMPERATURE | (line.FLAG_TEMPERATURE if known else 0)
        if known:
            self.say(line.temperature(self._acquisition.seq, centi_c))

    # -- commands of the host ----------------------------------------------------------

    def _hear(self, data):
        for body in self._commands.feed(data):
            self._obey(body)

    def _obey(self, body):
        words = body.split(",")
        if words == ["Q", "ID"]:
            self.say(line.answer(True, "ID"))
            self._introduce()
        elif words[:2] == ["C", "sps"] and len(words) == 3:
            self._set_rate(words[2])
        elif words in (["B"], ["B", "REPL"]):
            self._leave("prompt" if len(words) == 2 else "boot loader")
        else:
            self.say(line.answer(False, "unknown command"))

    def _set_rate(self, word):
        known = word.isdigit() and len(word) <= 5
        if not known or not self._converter.set_rate(int(word)):
            self.say(line.answer(False, f"sps {word} is not offered"))
            return
        self._acquisition.restart()
        self.say(line.answer(True, f"sps {word}"))
        self._introduce()

    def _leave(self, into):
        """Answer, let the answer out, and restart."""
        self.say(line.answer(True, into))
        for _ in range(LEAVE_TURNS_MAX):
            if self.outbox.flush():
                break
        self._board.restart(into)
