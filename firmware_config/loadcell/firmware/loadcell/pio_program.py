"""The clocked line as a program of the RP2040's PIO: clock and bits keep their time whatever Python does.

One instruction a microsecond: the clock is high for 1 us and low for 2 us (HX711: 0.2 to 50 us high, at least 0.2 us
low; ADS1232: at least 0.1 us each). A bit is read 1 us after its rising edge, as the clock falls. The clock is low
wherever the program can wait, so a full buffer never powers a chip down.

The names in the function are those of MicroPython's assembler (rp2.asm_pio), which supplies them; so do the tests.
"""

CLOCK_HZ = 1_000_000
PULSE_US = 3


def reading_us(pulses):
    """Return the time from the data-ready edge to the interrupt."""
    return pulses * PULSE_US + 7


def program(asm_pio, options, channels, pulses):
    """Return the assembled program.

    asm_pio   the assembler's decorator
    options   its keywords
    channels  chips on one clock, their data lines on neighbouring pins
    pulses    clock pulses a reading, 25 to 27
    """
    extra = pulses - 25

    # ruff: noqa: F821
    @asm_pio(**options)
    def reading():
        # Every chip must have its number ready.
        wait(0, pin, 0).side(0)
        if channels > 1:
            wait(0, pin, 1).side(0)
            wait(0, pin, 2).side(0)
            wait(0, pin, 3).side(0)
        set(x, 23).side(0)
        # The buffer takes a word after every 8 pulses.
        label("bit")
        nop().side(1)
        in_(pins, channels).side(0)
        jmp(x_dec, "bit").side(0)
        set(x, extra).side(0)
        label("gain")
        nop().side(1)
        in_(pins, channels).side(0)
        jmp(x_dec, "gain").side(0)
        push().side(0)
        irq(rel(0)).side(0)
        # A line that stays low is a chip in disorder: without this it would be read again and again.
        wait(1, pin, 0).side(0)

    return reading
