"""Reads tests/wire/shop_scale_vectors.toml and says of each documented frame whether the decoders agree with it."""

import re
import tomllib
from collections.abc import Iterator
from dataclasses import dataclass

from cart.wire.shop_scales.decoder import Decoder
from cart.wire.shop_scales.indication import Indication, Prompt, Value
from cart.wire.shop_scales.protocols import by_name
from tools.measuring import ROOT

FILE = ROOT / "tests" / "wire" / "shop_scale_vectors.toml"
NAMES = {"SOH": 1, "STX": 2, "ETX": 3, "EOT": 4, "ACK": 6, "LF": 10, "CR": 13, "NAK": 21}


@dataclass(frozen=True)
class Vector:
    """One row of the file; `kind` is a state, "prompt" or "none"."""

    protocol: str
    data: bytes
    kind: str
    mass_mg: int | None
    net: bool | None
    why: str
    source: str

    def wrong(self) -> str:
        """Return what the decoder says otherwise, or an empty text."""
        row = by_name(self.protocol)
        assert row is not None, f"no protocol {self.protocol}"
        _, values = Decoder(row.grammar).feed(self.data)
        said = [_said(value) for value in values]
        expected = [] if self.kind == "none" else [(self.kind, self.mass_mg, self.net)]
        if said != expected:
            return f"{self.protocol} {self.data!r}: {said} instead of {expected}"
        return "".join(f"{self.why!r} is not in {v.why!r}" for v in values if self.why not in getattr(v, "why", ""))


def _said(value: Value) -> tuple[str, int | None, bool | None]:
    if isinstance(value, Prompt):
        return "prompt", None, None
    assert isinstance(value, Indication)
    return value.kind.value, value.mass_mg, value.net


def vectors() -> list[Vector]:
    """Return all rows; a row with an unknown key is a mistake in the file."""
    rows = tomllib.loads(FILE.read_text(encoding="utf-8"))["frame"]
    return [vector(**row) for row in rows]


def vector(protocol: str, bytes: str, kind: str, source: str, mass_mg: int | None = None,
           net: bool | None = None, why: str = "") -> Vector:  # fmt: skip
    """Return one row, its bytes spelt out."""
    return Vector(protocol, b"".join(_spelt(bytes)), kind, mass_mg, net, why, source)


def _spelt(text: str) -> Iterator[bytes]:
    for name, plain in re.findall(r"<(\w+)>|([^<])", text):
        if name:
            yield NAMES[name].to_bytes() if name in NAMES else int(name, 16).to_bytes()
        else:
            yield plain.encode("ascii")
