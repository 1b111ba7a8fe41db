"""A state machine of the RP2040's PIO, as far as our program needs it: one instruction a cycle (data sheet, 3.4).

It takes the program through the same decorator as MicroPython's assembler, so the very function runs.
"""

from collections import deque
from dataclasses import dataclass, field

FIFO_WORDS = 8  # joined
X_MAX = 0xFFFFFFFF
INSTRUCTIONS_MAX = 32


@dataclass
class Instruction:
    """One line of the program; `level` is its side-set."""

    name: str
    args: tuple
    level: int | None = None

    def side(self, level):
        self.level = level
        return self


@dataclass
class Program:
    options: dict
    instructions: list[Instruction] = field(default_factory=list)
    labels: dict[str, int] = field(default_factory=dict)


def asm_pio(**options):
    """Take the place of rp2.asm_pio."""

    def assemble(function):
        program = Program(options)

        def emitter(name):
            def emit(*args):
                program.instructions.append(Instruction(name, args))
                return program.instructions[-1]

            return emit

        names = {name: emitter(name) for name in ("nop", "jmp", "wait", "push", "irq", "set", "in_")}
        names |= {name: name for name in ("pin", "pins", "x", "x_dec")}
        names |= {
            "label": lambda name: program.labels.__setitem__(name, len(program.instructions)),
            "rel": lambda n: n,
        }
        space, kept = function.__globals__, dict(function.__globals__)
        space.update(names)
        try:
            function()
        finally:
            space.clear()
            space.update(kept)
        assert len(program.instructions) <= INSTRUCTIONS_MAX
        # Only then the assembler spends one bit on the side-set, and 0 means low and not "as it was".
        assert all(instruction.level is not None for instruction in program.instructions)
        return program

    return assemble


class StateMachine:
    """Runs a program against pins.

    pins   clock(level, t_us) and data(t_us) -> levels, channel 0 in the lowest bit
    """

    def __init__(self, program, pins):
        self.fifo = deque()
        self.interrupts = 0
        self.t_us = 0
        self._program, self._pins = program, pins
        self._at = self._x = 0
        self._isr, self._isr_bits = 0, 0
        self._threshold = program.options["push_thresh"]
        assert program.options["autopush"]
        assert program.options["in_shiftdir"] == "left"

    def cycle(self):
        """Run one cycle of 1 us."""
        instruction = self._program.instructions[self._at]
        self._pins.clock(instruction.level, self.t_us)
        after = getattr(self, f"_{instruction.name.strip('_')}")(*instruction.args)
        if after is not None:
            self._at = after % len(self._program.instructions)
        self.t_us += 1

    def _next(self):
        return self._at + 1

    def _nop(self):
        return self._next()

    def _set(self, destination, value):
        assert destination == "x"
        assert 0 <= value <= 31
        self._x = value
        return self._next()

    def _wait(self, polarity, source, index):
        return self._next() if self._pins.data(self.t_us) >> index & 1 == polarity else None

    def _jmp(self, condition, label):
        assert condition == "x_dec"
        taken = self._x != 0
        self._x = self._x - 1 & X_MAX
        return self._program.labels[label] if taken else self._next()

    def _in(self, source, count):
        if self._isr_bits + count >= self._threshold and len(self.fifo) >= FIFO_WORDS:
            return None
        bits = self._pins.data(self.t_us) & (1 << count) - 1
        self._isr, self._isr_bits = (self._isr << count | bits) & X_MAX, self._isr_bits + count
        return self._pushed() if self._isr_bits >= self._threshold else self._next()

    def _push(self):
        return self._pushed() if len(self.fifo) < FIFO_WORDS else None

    def _pushed(self):
        self.fifo.append(self._isr)
        self._isr, self._isr_bits = 0, 0
        return self._next()

    def _irq(self, index):
        assert index == 0
        self.interrupts += 1
        return self._next()
