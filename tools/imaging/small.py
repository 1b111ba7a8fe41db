"""Small files that people write or download: read whole, never endlessly, and as text whatever program saved them."""

import stat
from pathlib import Path

from cart.faults import Fault

LIMIT_BYTES = 4 << 20


def read_bytes(path: Path, code: str, limit_bytes: int = LIMIT_BYTES) -> bytes:
    """Return the content of an ordinary file; Fault `code` where it is none, cannot be read, or is too large."""
    try:
        with path.open("rb") as file:
            if not stat.S_ISREG(path.stat().st_mode):
                raise Fault(code, f"{path} is not an ordinary file")
            data = file.read(limit_bytes + 1)
    except OSError as error:
        raise Fault(code, f"{path}: {error.strerror}") from None
    except ValueError:  # a NUL in its name
        raise Fault(code, f"{str(path)!r} is no name of a file") from None
    if len(data) > limit_bytes:
        raise Fault(code, f"{path} is larger than {limit_bytes} bytes")
    return data


def read_text(path: Path, code: str, limit_bytes: int = LIMIT_BYTES) -> str:
    """Return a UTF-8 text, as `read_bytes`; the mark that Windows programs put before it is left out."""
    try:
        return read_bytes(path, code, limit_bytes).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise Fault(code, f"{path}:{line}: not UTF-8 text: save it again, as UTF-8") from None
