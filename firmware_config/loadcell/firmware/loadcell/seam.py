"""The seam between a driver and the rest, and the two seams below a driver.

A converter (hx711, ads1232, nau7802):

    chip, gain, samples_per_s   what it is set to
    rates                       what set_rate() takes
    start()   generator: begins (again); yields microseconds to wait before it goes on, and ends when readings will come
    read()    (ticks, counts, flags) of the oldest conversion, or None; counts has one number a channel
    set_rate(samples_per_s)     whether it can; takes effect with the next start()

A motion sensor: start() as above, and read() gives (ticks, ax_ug, ay_ug, az_ug) or None.

Below a driver of a chip with a clocked line (pio_words.PioWords; in tests a simulated chip):

    start(pulses)   listen; every reading is so many clock pulses, 25 to 27
    take(into)      ticks of the oldest reading and its 4 words in a bytearray of 16, or None: 3 words of 8 pulses,
                    1 of the rest, the channels' bits side by side, channel 0 and the first byte lowest
    stop(high)      stop, with the clock low or high

Below a driver on I2C (board.Registers): read(register, count), write(register, value); and its data-ready line
(board.Edges): take() gives the ticks of the oldest edge, or None.
"""


class ChipFault(Exception):
    """A chip does not do what its data sheet says; `code` and `text` go into an $E line."""

    def __init__(self, code, text):
        """Keep both."""
        super().__init__(code, text)
        self.code = code
        self.text = text
