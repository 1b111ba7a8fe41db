"""The load cell's microcontroller: conversions in, CLC1 lines out. MicroPython; also runs on CPython.

Picture, from the chip to the cable:

    converter  hx711 | ads1232 | nau7802     start(), read()      over words (PIO) or registers (I2C)
    motion     lsm6dso                       start(), read()      over registers
        |
    acquisition   seq, pace, flags, restarts -> bodies of lines
    cell          what is due: identity, temperature, commands    <- commands
        |
    outbox        lines wait, at most 64; the oldest is dropped and counted
    port          one stream each way, never waits

Functions are small here for one reason more than elsewhere: MicroPython takes the frame of a call with more than eleven
values from the heap, which cost one of them ten times the rest of its work.

Only start, board and pio_words import machine or rp2; everything else is the same file in the tests.
"""

FIRMWARE = "1.0.0"
PROTOCOL = 1
