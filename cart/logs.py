"""Sets up logging: the standard library's, to stderr, in journald's form under systemd.

Loggers are named `cart.<area>`; a message about a fault starts with the fault's code.
"""

import logging
import os
import sys

# systemd reads a leading <N> as the syslog level of the line, and adds time and process itself.
_SYSLOG_LEVELS = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}


class _JournalFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        level = _SYSLOG_LEVELS.get(record.levelno, 5)
        # Every line of a traceback needs its own level, or journald files it under the default.
        return "\n".join(f"<{level}>{line}" for line in super().format(record).splitlines())


class _ToStderr(logging.StreamHandler):
    """Writes to whatever stderr is at the moment, as a redirected one is put back later."""

    @property
    def stream(self):
        return sys.stderr

    @stream.setter
    def stream(self, value):
        pass


def under_journald() -> bool:
    """Return True where stderr is journald's stream: systemd then names its device and inode in JOURNAL_STREAM."""
    stream = os.environ.get("JOURNAL_STREAM", "")
    try:
        found = os.fstat(sys.stderr.fileno())
    except (OSError, ValueError):
        return False
    return stream == f"{found.st_dev}:{found.st_ino}"


def set_up(level: int = logging.WARNING) -> None:
    """Send the project's log from `level` up to stderr; may be called again to change the level."""
    if under_journald():
        formatter: logging.Formatter = _JournalFormatter("%(name)s: %(message)s")
    else:
        formatter = logging.Formatter("%(asctime)s.%(msecs)03d %(levelname)-7s %(name)s: %(message)s", "%H:%M:%S")
    handler = _ToStderr()
    handler.setFormatter(formatter)
    logger = logging.getLogger("cart")
    logger.handlers[:] = [handler]
    logger.setLevel(level)
