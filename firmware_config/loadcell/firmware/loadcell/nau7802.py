"""NAU7802 on I2C, address 2A: registers -> conversions.

Names of registers and bits are those of the data sheet (Nuvoton, revision 1.7, section 11). The chip feeds the cells
from its own regulator, 2.4 to 4.5 V. Its DRDY pin rises when a conversion is ready, which gives the moment; polling the
bit CR would give only the moment of the question.
"""

from loadcell.line import COUNTS_MAX, COUNTS_MIN, FLAG_OVERRUN, FLAG_SATURATED, signed24
from loadcell.seam import ChipFault

ADDRESS = 0x2A

PU_CTRL, CTRL1, CTRL2, ADCO_B2, ADC, PGA_PWR, REVISION = 0x00, 0x01, 0x02, 0x12, 0x15, 0x1C, 0x1F
RR, PUD, PUA, PUR, CS, AVDDS = 0x01, 0x02, 0x04, 0x08, 0x10, 0x80  # of PU_CTRL
CALS, CAL_ERR = 0x04, 0x08  # of CTRL2; CALMOD 00 is the internal offset
CLK_CHP_OFF = 0x30  # of ADC: REG_CHPS = 11
PGA_CAP_EN = 0x80  # of PGA_PWR: the second input's capacitor filters the first
REVISION_ID = 0x0F

RATES = {10: 0, 20: 1, 40: 2, 80: 3, 320: 7}
"""CRS of CTRL2, for each rate."""

GAINS = {1: 0, 2: 1, 4: 2, 8: 3, 16: 4, 32: 5, 64: 6, 128: 7}
"""GAINS of CTRL1."""

READY_US, READY_WAITS = 200, 50
REGULATOR_US = 600_000
CALIBRATION_US, CALIBRATION_WAITS = 10_000, 150


class Nau7802:
    """A converter as seam.py has it.

    registers      read(register, count), write(register, value)
    edges          take() gives the ticks of a rise of DRDY
    excitation_mv  2400 to 4500 in steps of 300
    """

    chip = "NAU7802"
    rates = (10, 20, 40, 80, 320)

    def __init__(self, registers, edges, gain, samples_per_s, excitation_mv):
        """Do nothing yet."""
        self.gain = gain
        self.samples_per_s = samples_per_s
        self._registers = registers
        self._edges = edges
        self._vldo = (4500 - excitation_mv) // 300

    def set_rate(self, samples_per_s):
        """Return whether the chip can; takes effect with the next start()."""
        if samples_per_s not in self.rates:
            return False
        self.samples_per_s = samples_per_s
        return True

    def start(self):
        """Reset, power up, set and calibrate the chip; ChipFault ADC-MISSING or ADC-CALIBRATION."""
        write = self._registers.write
        write(PU_CTRL, RR)
        yield READY_US
        write(PU_CTRL, PUD)
        yield from self._until(PU_CTRL, PUR, PUR, READY_US, READY_WAITS, "ADC-MISSING")
        if self._registers.read(REVISION, 1)[0] & 0x0F != REVISION_ID:
            raise ChipFault("ADC-MISSING", "the chip at address 2A is no NAU7802")
        write(CTRL1, self._vldo << 3 | GAINS[self.gain])
        write(PU_CTRL, AVDDS | PUA | PUD)
        write(CTRL2, RATES[self.samples_per_s] << 4)
        write(ADC, CLK_CHP_OFF)
        write(PGA_PWR, PGA_CAP_EN)
        yield REGULATOR_US
        write(PU_CTRL, AVDDS | CS | PUA | PUD)
        write(CTRL2, RATES[self.samples_per_s] << 4 | CALS)
        yield from self._until(CTRL2, CALS, 0, CALIBRATION_US, CALIBRATION_WAITS, "ADC-CALIBRATION")
        if self._registers.read(CTRL2, 1)[0] & CAL_ERR:
            raise ChipFault("ADC-CALIBRATION", "the converter could not calibrate its offset")
        while self._edges.take() is not None:
            pass

    def _until(self, register, mask, value, wait_us, waits, code):
        """Wait until the masked bits have the value."""
        for _ in range(waits):
            if self._registers.read(register, 1)[0] & mask == value:
                return
            yield wait_us
        raise ChipFault(code, f"register {register:02X} did not change in {wait_us * waits // 1000} ms")

    def read(self):
        """Return (ticks, counts, flags) of the newest conversion, or None.

        Of several edges only the newest has its number still in the chip; pace.py finds the missing ones. An edge
        while the number was being read makes it doubtful.
        """
        ticks = None
        edge = self._edges.take()
        while edge is not None:
            ticks, edge = edge, self._edges.take()
        if ticks is None:
            return None
        data = self._registers.read(ADCO_B2, 3)
        counts = signed24(data[0] << 16 | data[1] << 8 | data[2])
        flags = FLAG_SATURATED if counts in (COUNTS_MAX, COUNTS_MIN) else 0
        if self._edges.waiting():
            flags |= FLAG_OVERRUN
        return ticks, [counts], flags
