"""Scores the shop-scale codecs: documented frames, random bytes, and frames in which one bit or one byte is damaged.

    python -m tools.score_codecs [-o json]

What damage does is a property of the protocol, not of the codec: without parity or a check, another digit is another
weight. The share that gets through is measured here so that nobody has to guess it.
"""

import argparse
import json
import sys
from collections.abc import Iterator
from random import Random

from cart.sim.shop_scale import Showing, frame
from cart.wire.shop_scales import line
from cart.wire.shop_scales.decoder import Decoder
from cart.wire.shop_scales.indication import Indication, Kind
from cart.wire.shop_scales.protocols import PROTOCOLS, Protocol
from tools.shop_scale_vectors import vectors

RANDOM_BYTES = 1_000_000
PIECE = 1_000
FRAMES = 100
SEVEN_BITS = bytes(byte & 0x7F for byte in range(256))


def main(argv: list[str] | None = None) -> int:
    """Print the scores; 1 when a documented frame is misread or random bytes gave a number."""
    parser = argparse.ArgumentParser(prog="python -m tools.score_codecs", description=__doc__.splitlines()[0])
    parser.add_argument("-o", "--output", choices=("text", "json"), default="text", help="how to print")
    args = parser.parse_args(argv)
    wrong = [vector.wrong() for vector in vectors() if vector.wrong()]
    rows = [scores(protocol) for protocol in PROTOCOLS]
    numbers = sum(row["numbers_in_random_bytes"] for row in rows)
    if args.output == "json":
        total = {"frames": len(vectors()), "wrong": len(wrong), "protocols": len(rows), "numbers": numbers}
        print(json.dumps({**total, "by_protocol": rows}))
    else:
        print("\n".join(wrong) or f"{len(vectors())} documented frames, none misread")
        for row in rows:
            print("  ".join(f"{name} {value}" for name, value in row.items()))
    return 1 if wrong or numbers else 0


def scores(protocol: Protocol) -> dict:
    """Return the scores of one protocol; shares in permille of damaged frames that gave another weight."""
    return {
        "protocol": protocol.name,
        "checked": protocol.checked,
        "numbers_in_random_bytes": numbers_in_random_bytes(protocol),
        "bit_permille": share(protocol, flipped),
        "lost_byte_permille": share(protocol, shortened),
    }


def numbers_in_random_bytes(protocol: Protocol) -> int:
    """Return how many weights RANDOM_BYTES random bytes hold; seven bits each, as if the parity were always right."""
    random, decoder, numbers = Random(1), Decoder(protocol.grammar), 0
    for _ in range(RANDOM_BYTES // PIECE):
        data = random.randbytes(PIECE)
        decoder, values = decoder.feed(data if protocol.framing == "8N1" else data.translate(SEVEN_BITS))
        numbers += sum(value.mass_mg is not None for value in values if isinstance(value, Indication))
    return numbers


def share(protocol: Protocol, damage) -> float:
    """Return the permille of damaged frames that give a number other than the true one."""
    random, hurt, wrong = Random(2), 0, 0
    for _ in range(FRAMES):
        sent = line.to_send(frame(protocol, Showing(Kind.STABLE, random.randrange(15_000) * 1_000)), protocol.framing)
        truth = numbers(protocol, sent)
        for data in damage(sent):
            hurt += 1
            wrong += numbers(protocol, data) not in ([], truth)
    return round(1_000 * wrong / hurt, 1)


def numbers(protocol: Protocol, data: bytes) -> list[int]:
    """Return the masses that these bytes of the line hold, in mg."""
    _, values = Decoder(protocol.grammar).feed(line.received(data, protocol.framing))
    return [value.mass_mg for value in values if isinstance(value, Indication) and value.mass_mg is not None]


def flipped(sent: bytes) -> Iterator[bytes]:
    """Yield the frame with each one of its bits wrong."""
    for bit in range(8 * len(sent)):
        hurt = bytearray(sent)
        hurt[bit // 8] ^= 1 << bit % 8
        yield bytes(hurt)


def shortened(sent: bytes) -> Iterator[bytes]:
    """Yield the frame with each one of its bytes lost."""
    for at in range(len(sent)):
        yield sent[:at] + sent[at + 1 :]


if __name__ == "__main__":
    sys.exit(main())
