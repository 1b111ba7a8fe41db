"""NAU7802 and LSM6DSO at their registers, from the data sheets; what they do not allow is an assertion."""

from loadcell import lsm6dso, nau7802
from loadcell.ring import Edges

PERIODS_US = {0: 100_000, 1: 50_000, 2: 25_000, 3: 12_500, 7: 3_125}


class Nau7802Chip:
    """Registers 00 to 1F, powered up in the data sheet's order; DRDY rises with a conversion and falls when it is read.

    values         conversions, in order, then the last one for ever
    revision       low digit of register 1F
    calibrates     whether a calibration ends, and cal_error whether it ends in an error
    """

    def __init__(self, world, values=(0,), revision=0x0F, powers_up=True, calibrates=True, cal_error=False):
        self.world, self.values = world, list(values)
        self.registers = {}
        self.log = []
        self._revision, self._powers_up = revision, powers_up
        self._calibrates, self._cal_error = calibrates, cal_error
        self._up_us = self._calibrated_us = self._next_us = None
        self._conversion = None
        self.ready = False
        self.edges = Edges(lambda: self.ready, world.ticks_us)

    def write(self, register, value):
        self.log.append((register, value))
        if register == nau7802.PU_CTRL:
            self._power(value)
        else:
            assert self._up(), "the digital part is off: nothing but PU_CTRL may be written"
        self.registers[register] = value
        if register == nau7802.CTRL2 and value & nau7802.CALS:
            assert self._next_us is not None, "a calibration before the first cycle"
            self._calibrated_us = self.world.us + 300_000
            self._next_us = self._calibrated_us + self._period_us()

    def _power(self, value):
        if value & nau7802.RR:
            self.registers, self._up_us, self._next_us, self.ready = {}, None, None, False
            return
        if value & nau7802.PUD and self._up_us is None:
            self._up_us = self.world.us + 200
        if value & nau7802.CS:
            assert value & nau7802.PUA, "a cycle without the analogue part"
            assert value & nau7802.AVDDS, "the regulator is not chosen, and nothing else feeds the cells"
            assert self.registers[nau7802.PU_CTRL] & nau7802.PUA, "power and cycle in the same write"
            self._next_us = self.world.us + 4 * self._period_us()

    def _up(self):
        return self._up_us is not None and self.world.us >= self._up_us

    def _period_us(self):
        return PERIODS_US[self.registers[nau7802.CTRL2] >> 4 & 7]

    def read(self, register, count):
        if register == nau7802.ADCO_B2:
            assert count == 3, "the three bytes of a number in one transfer"
            self.ready = False
            return (self._conversion & 0xFFFFFF).to_bytes(3, "big")
        value = self.registers.get(register, 0)
        if register == nau7802.PU_CTRL and self._up() and self._powers_up:
            value |= nau7802.PUR
        if register == nau7802.CTRL2:
            value = self._ctrl2(value)
        if register == nau7802.REVISION:
            value = self._revision
        return bytes([value])

    def _ctrl2(self, value):
        if self._calibrated_us is None or not self._calibrates or self.world.us < self._calibrated_us:
            return value
        return value & ~nau7802.CALS | (nau7802.CAL_ERR if self._cal_error else 0)

    def convert(self):
        """Let the conversions happen that are due by now."""
        while self._next_us is not None and self._next_us <= self.world.us:
            self._conversion = self.values.pop(0) if len(self.values) > 1 else self.values[0]
            self._next_us += self._period_us()
            if not self.ready:
                self.ready = True
                self.edges.rose()


class Lsm6dsoChip:
    """The accelerometer's registers; INT1 rises with a sample and falls when it is read."""

    def __init__(self, world, sample=(0, 0, 16_393), who=lsm6dso.WHO, celsius=25):
        self.world, self.sample = world, sample
        self.registers = {lsm6dso.CTRL3_C: lsm6dso.IF_INC}
        self._who, self._celsius = who, celsius
        self._reset_us = None
        self.ready = False
        self.edges = Edges(lambda: self.ready, world.ticks_us)

    def write(self, register, value):
        assert self._reset_us is None or self.world.us >= self._reset_us, "a write during the reset"
        self.registers[register] = value
        if register == lsm6dso.CTRL3_C and value & lsm6dso.SW_RESET:
            self.registers = {lsm6dso.CTRL3_C: lsm6dso.IF_INC}
            self._reset_us = self.world.us + 50

    def read(self, register, count):
        if register == lsm6dso.WHO_AM_I:
            return bytes([self._who])
        if register == lsm6dso.OUTX_L_A:
            assert self.registers[lsm6dso.CTRL3_C] & lsm6dso.IF_INC, "more than a byte needs IF_INC"
            assert self.registers[lsm6dso.CTRL3_C] & lsm6dso.BDU, "without BDU the bytes may be of two samples"
            assert count == 6
            self.ready = False
            return b"".join((value & 0xFFFF).to_bytes(2, "little") for value in self.sample)
        if register == lsm6dso.OUT_TEMP_L:
            return (int((self._celsius - 25) * 256) & 0xFFFF).to_bytes(2, "little")
        return bytes([self.registers.get(register, 0)])

    def convert(self):
        """Have a sample ready, where the chip is set to."""
        assert self.registers[lsm6dso.CTRL1_XL] >> 4 == 4, "104 a second"
        if self.registers.get(lsm6dso.INT1_CTRL, 0) & lsm6dso.INT1_DRDY_XL and not self.ready:
            self.ready = True
            self.edges.rose()
