"""Files written whole or not at all, with the same bytes for the same content."""

import hashlib
import io
import json
import os
import zipfile
from pathlib import Path

import numpy as np

# The earliest moment that a zip can state: a real one would change the bytes at every run.
ZIP_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_atomically(path: Path, content: bytes) -> None:
    """Write `content` to `path` so that a reader sees the old file or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    with draft.open("wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)


def npz_bytes(arrays: dict[str, np.ndarray]) -> bytes:
    """Return an .npz of little-endian arrays, sorted by name, that `numpy.load` reads without pickle."""
    result = io.BytesIO()
    with zipfile.ZipFile(result, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(arrays):
            array = np.ascontiguousarray(arrays[name]) if arrays[name].ndim else arrays[name]
            entry = io.BytesIO()
            np.lib.format.write_array(entry, array.astype(array.dtype.newbyteorder("<")), (1, 0), allow_pickle=False)
            archive.writestr(zipfile.ZipInfo(f"{name}.npy", ZIP_EPOCH), entry.getvalue())
    return result.getvalue()


def json_bytes(value: object) -> bytes:
    """Return readable JSON with sorted keys and a final newline."""
    return (json.dumps(value, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode()


def sha256(content: bytes) -> str:
    """Return the SHA-256 in hex."""
    return hashlib.sha256(content).hexdigest()
