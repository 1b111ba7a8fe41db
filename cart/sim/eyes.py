"""What a camera would report of a pass, without pixels: for text scenarios, whose words say what it makes of things.

Evidence has the size that the real reader and classifier give on clear views
(a right look is about 40 to 1 for its label); the trip benchmark and the live
bench use real photos instead.
"""

from __future__ import annotations

import random

from cart.core.events import Classified, Event, Sighted

FRAME_NS = 66_000_000
"""Time between two frames of the camera."""

READ_NS = 15_000_000
"""From a frame to the event of its code."""

POOL_NS = 400_000_000
"""From the first frame of a pass to the classifier's opinion of it."""

RIGHT_MILLINAT = 3_700
NONE_MILLINAT = 2_300
WRONG_MILLINAT = -2_500
JITTER_MILLINAT = 300


class Eyes:
    """Makes the events of one pass; tracks count up, and nothing is drawn from any other stream."""

    def __init__(self, seed: int) -> None:
        self._random = random.Random(f"eyes {seed}")
        self.track = 0

    def new_pass(self) -> int:
        """Return the number of the next pass."""
        self.track += 1
        return self.track

    def reads(self, t_ns: int, track: int, gtin: str, moved: bool, frames: int = 3) -> list[Event]:
        """Return a read of one code in each of some frames, the first exposed at t_ns."""
        symbology, text = ("EAN13", gtin[1:]) if gtin.startswith("0") else ("CODE128", gtin)
        return [
            Sighted(
                t_ns=t_ns + n * FRAME_NS + READ_NS,
                t_frame_ns=t_ns + n * FRAME_NS,
                track=track,
                symbology=symbology,
                text=text,
                gtin=gtin,
                votes=n + 1,
                moved=moved,
            )
            for n in range(frames)
        ]

    def look(self, t_ns: int, track: int, labels: tuple[str, ...], direction: str) -> Classified:
        """Return the classifier's opinion of a pass that began at t_ns and shows these labels ("": it knows none)."""
        known = [label for label in labels if label]
        share = RIGHT_MILLINAT if len(labels) == 1 else RIGHT_MILLINAT // 2
        scores = sorted(((label, share + self._jitter()) for label in dict.fromkeys(known)), key=lambda s: -s[1])
        return Classified(
            t_ns=t_ns + POOL_NS,
            t_frame_ns=t_ns,
            track=track,
            scores=tuple(scores),
            none_millinat=(NONE_MILLINAT if "" in labels else WRONG_MILLINAT) + self._jitter(),
            rest_millinat=WRONG_MILLINAT + self._jitter(),
            frames=POOL_NS // FRAME_NS,
            direction=direction,
        )

    def _jitter(self) -> int:
        return self._random.randint(-JITTER_MILLINAT, JITTER_MILLINAT)
