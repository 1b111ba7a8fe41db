"""Writes the core's notes to the log, so that journald has what the recording has."""

from __future__ import annotations

import logging

from cart.core.effects import Effect, Note

log = logging.getLogger("cart.core")

LEVELS = {"info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}


class Journal:
    """Sink of Note."""

    def handle(self, effect: Effect) -> None:
        """Log a note, its code first."""
        if isinstance(effect, Note):
            log.log(LEVELS[effect.level], "%s: %s", effect.code, effect.text)
