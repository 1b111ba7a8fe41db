"""Is this build sealed, and is it still what was verified? Read once, before anything runs.

jumper open                          not for trade, whatever files and cart.toml say
jumper closed, all as verified       for trade
jumper closed, anything otherwise    the cart does not run: LEGAL-HASH-DIFFERS or LEGAL-SEAL-BAD
"""

from __future__ import annotations

import logging
from importlib import resources
from pathlib import Path
from typing import NamedTuple

from cart.core.legal import Legal
from cart.faults import Fault
from cart.wire.calibration import CalibrationRecord
from cart.wire.legal_manifest import NAME, changed, sha256_of
from cart.wire.seal import Seal, decode_seal, legal_of, mismatch

log = logging.getLogger("cart.legal")

SEAL_NAME = "seal.json"
"""Beside the calibration record."""

SEAL_BYTES_MAX = 65_536


class Software(NamedTuple):
    """The legally relevant part as it lies here: its hash ("" where it cannot be told), and what was changed in it."""

    sha256: str
    changed: tuple[str, ...]


def software() -> Software:
    """Return the legal hash, and every listed file that is not as listed."""
    package = resources.files("cart")
    try:
        manifest = (package / NAME).read_bytes()
        return Software(sha256_of(manifest), changed(manifest, lambda path: (package / path).read_bytes()))
    except (OSError, ValueError) as error:
        return Software("", (f"{NAME}: {error}",))


def sealed(
    record: CalibrationRecord | None, seal_path: Path, cart_id: str, pixel_pitch_um: int, *, jumper_closed: bool
) -> tuple[Legal, bool]:
    """Return what trade weighing is set up with, and whether this build weighs for trade.

    record          the calibration in force, None without one
    pixel_pitch_um  of the screen, as cart.toml says
    Raises LEGAL-HASH-DIFFERS and LEGAL-SEAL-BAD with the jumper closed, never with it open.
    """
    here = software()
    known = "" if here.changed else here.sha256
    if not jumper_closed:
        if here.changed:
            log.warning("the legally relevant part was changed: %s", ", ".join(here.changed))
        return (legal_of(record, known, None) if record else Legal()), False
    if here.changed:
        raise Fault("LEGAL-HASH-DIFFERS", ", ".join(here.changed))
    if record is None:
        raise Fault("LEGAL-SEAL-BAD", "there is no calibration record")
    seal = read_seal(seal_path)
    why = mismatch(seal, cart_id, known, record, pixel_pitch_um)
    if why:
        code = "LEGAL-HASH-DIFFERS" if seal.software != known else "LEGAL-SEAL-BAD"
        raise Fault(code, why)
    return legal_of(record, known, seal), True


def read_seal(path: Path) -> Seal:
    """Return the seal record; LEGAL-SEAL-BAD where there is none that can be read."""
    try:
        with path.open("rb") as file:
            data = file.read(SEAL_BYTES_MAX + 1)
        if len(data) > SEAL_BYTES_MAX:
            raise Fault("LEGAL-SEAL-BAD", f"{path} is larger than {SEAL_BYTES_MAX} bytes")
        return decode_seal(data)
    except OSError as error:
        raise Fault("LEGAL-SEAL-BAD", f"{path}: {error.strerror}") from None
    except ValueError as error:
        raise Fault("LEGAL-SEAL-BAD", f"{path}: {error}") from None
