"""The catalogue's file: read here, understood in `cart.wire.catalog`."""

from __future__ import annotations

from importlib import resources
from pathlib import Path

from cart.core.catalog import Catalog
from cart.faults import Fault
from cart.wire.catalog import Parsed, parse_catalog

BYTES_MAX = 16 * 1024 * 1024
"""Most bytes that are read: about five times the largest catalogue that is accepted."""

FAULTS_SHOWN_MAX = 3
"""Faults that the message of a Fault names; `cart catalog lint` lists the rest."""


def load_catalog(path: str) -> Catalog:
    """Return the catalogue of this file, of the packaged demo store for "".

    Raises Fault: CATALOG-UNREADABLE, CATALOG-FAULTS (the first faults with their rows in the detail).
    """
    parsed = parse_file(path)
    if parsed.catalog is None:
        shown = [str(fault) for fault in parsed.faults[:FAULTS_SHOWN_MAX]]
        more = len(parsed.faults) - len(shown)
        rest = [f"and {more} more"] if more else []
        raise Fault("CATALOG-FAULTS", "; ".join([path or "the demo catalogue", *shown, *rest]))
    return parsed.catalog


def parse_file(path: str) -> Parsed:
    """Return what this file holds, faults included; Fault CATALOG-UNREADABLE when it cannot be read."""
    source = Path(path) if path else resources.files("cart.sim") / "data" / "demo_catalog.csv"
    try:
        with source.open("rb") as file:
            raw = file.read(BYTES_MAX + 1)
        if len(raw) > BYTES_MAX:
            raise Fault("CATALOG-UNREADABLE", f"{path}: more than {BYTES_MAX} bytes")
        return parse_catalog(raw.decode("utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise Fault("CATALOG-UNREADABLE", f"{path or source}: {error}") from error
