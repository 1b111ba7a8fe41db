"""LSM6DSO on I2C, address 6A or 6B: the platform's acceleration in micro-g, z up, and a temperature.

Why this one: it needs no program loaded into it (a BMI270 wants 8 KiB at every start), has no magnetometer and no
banks of registers (ICM-20948), and its lines are 3.3 V. Register names are those of the data sheet (ST DS12140).
Only the accelerometer runs: 104 a second, +-2 g, low-pass at half the rate. INT1 rises when a sample is there and falls
when it is read.
"""

from loadcell.seam import ChipFault

ADDRESS = 0x6A

INT1_CTRL, WHO_AM_I, CTRL1_XL, CTRL3_C, OUT_TEMP_L, OUTX_L_A = 0x0D, 0x0F, 0x10, 0x12, 0x20, 0x28
WHO = 0x6C
INT1_DRDY_XL = 0x01
ODR_104_HZ_2_G = 0x40
SW_RESET, IF_INC, BDU = 0x01, 0x04, 0x40  # of CTRL3_C

UG_PER_LSB = 61
"""0.061 mg a digit at +-2 g."""

RESET_US, RESET_WAITS = 1_000, 50


class Lsm6dso:
    """A motion sensor as seam.py has it.

    axes   which of the chip's axes point forward, left and up: "+x+y+z" lying flat, "-y+x+z" turned by 90 degrees
    """

    def __init__(self, registers, edges, axes="+x+y+z"):
        """Do nothing yet."""
        self._registers = registers
        self._edges = edges
        self._axes = [("xyz".index(axes[n + 1]), -UG_PER_LSB if axes[n] == "-" else UG_PER_LSB) for n in (0, 2, 4)]

    def start(self):
        """Reset and set the chip; ChipFault IMU-MISSING."""
        if self._registers.read(WHO_AM_I, 1)[0] != WHO:
            raise ChipFault("IMU-MISSING", "the chip at its address is no LSM6DSO")
        self._registers.write(CTRL3_C, SW_RESET)
        for _ in range(RESET_WAITS):
            yield RESET_US
            if not self._registers.read(CTRL3_C, 1)[0] & SW_RESET:
                break
        else:
            raise ChipFault("IMU-MISSING", "the motion sensor did not come back from its reset")
        self._registers.write(CTRL3_C, BDU | IF_INC)
        self._registers.write(INT1_CTRL, INT1_DRDY_XL)
        self._registers.write(CTRL1_XL, ODR_104_HZ_2_G)

    def read(self):
        """Return (ticks, ax_ug, ay_ug, az_ug) of the newest sample, or None."""
        ticks = None
        edge = self._edges.take()
        while edge is not None:
            ticks, edge = edge, self._edges.take()
        if ticks is None:
            return None
        data = self._registers.read(OUTX_L_A, 6)
        raw = [_signed16(data[n] | data[n + 1] << 8) for n in (0, 2, 4)]
        x, y, z = [raw[axis] * ug for axis, ug in self._axes]
        return ticks, x, y, z

    def centi_c(self):
        """Return the chip's temperature in hundredths of a degree: 256 digits a degree, 0 at 25."""
        data = self._registers.read(OUT_TEMP_L, 2)
        return 2_500 + _signed16(data[0] | data[1] << 8) * 100 // 256


def _signed16(value):
    return value - 0x10000 if value & 0x8000 else value
