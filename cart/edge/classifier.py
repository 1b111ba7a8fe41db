"""The classifier's network in a TFLite runtime; the one place that imports tflite_runtime or ai_edge_litert.

tflite-runtime 2.14 has wheels for aarch64 up to Python 3.11 and is compiled against numpy 1; ai-edge-litert is its
successor with the same Interpreter. The two round differently in every layer: embeddings differ by several int8 steps,
enough to change the likeliest product where two are close, so compare with a tolerance. The interpreter is made once
and kept; it is not thread-safe, so one thread embeds.
"""

from __future__ import annotations

import hashlib
import json
import logging
import re
import sys
from collections.abc import Callable
from importlib import import_module
from importlib.util import find_spec
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from cart.faults import Fault

if TYPE_CHECKING:
    from cart.ports import Clock

PACKAGED_DIR = Path(__file__).resolve().parent.parent / "models"
MANIFEST_FILE = "manifest.json"
NETWORK_FILE = "backbone_int8.tflite"
PLAIN_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
INPUT_SHAPE = (288, 288, 3)
TFLITE_RUNTIME = "tflite_runtime.interpreter"
LITERT = "ai_edge_litert.interpreter"
TFLITE_RUNTIME_PYTHON_MAX = (3, 11)

NS_PER_MS = 1_000_000

log = logging.getLogger("cart.classifier")


class Loading(NamedTuple):
    """How long a model took to load, in ms: hashes checked, network read, first photo; 0 where no clock was given."""

    checked_ms: int = 0
    read_ms: int = 0
    warmed_ms: int = 0

    def __str__(self) -> str:
        """Return the words for a log."""
        return f"checked in {self.checked_ms} ms, read in {self.read_ms} ms, warmed in {self.warmed_ms} ms"


class Classifier:
    """A backbone that turns pictures into embeddings (the port `Embedder`).

    runtime       the module that the interpreter came from
    model_sha256  hash of the manifest, which names every file of the model: identifies the model in a recording
    loading       how long it took
    """

    def __init__(self, model_dir: Path, threads: int = 1, clock: Clock | None = None) -> None:
        """Load, check and warm the network.

        model_dir  folder of the artifacts, see `model_dir_of`
        threads    CPU threads of the interpreter, >= 1
        clock      to measure `loading` with

        Errors: Fault MODEL-MISSING, MODEL-HASH, MODEL-SHAPE, MODEL-RUNTIME-MISSING.
        """
        assert threads >= 1
        now_ns = clock.monotonic_ns if clock else (lambda: 0)
        times_ns = [now_ns()]
        self.model_sha256 = verified(model_dir)
        times_ns.append(now_ns())
        self.runtime = runtime_module()
        path = model_dir / NETWORK_FILE
        try:
            self._interpreter = import_module(self.runtime).Interpreter(model_path=str(path), num_threads=threads)
            self._interpreter.allocate_tensors()
        except (ImportError, AttributeError) as error:
            raise Fault("MODEL-RUNTIME-MISSING", f"{self.runtime}: {error}") from error
        except (ValueError, RuntimeError) as error:
            raise Fault("MODEL-HASH", f"{path}: {self.runtime} refuses it: {error}") from error
        taken = self._interpreter.get_input_details()[0]
        if tuple(taken["shape"]) != (1, *INPUT_SHAPE):
            raise Fault("MODEL-SHAPE", f"{path} takes {taken['shape'].tolist()}, the cart gives {[1, *INPUT_SHAPE]}")
        self._input = taken["index"]
        output = self._interpreter.get_output_details()[0]
        self._output = output["index"]
        self._scale, self._zero_point = output["quantization"]
        times_ns.append(now_ns())
        # The first call sets up the kernels and takes several times as long: not while a shopper waits.
        self.embed(np.zeros(INPUT_SHAPE, np.uint8))
        times_ns.append(now_ns())
        self.loading = Loading(*((end_ns - begin_ns) // NS_PER_MS for begin_ns, end_ns in pairwise(times_ns)))
        ready = "classifier ready: %s, %d threads, model %s: %s"
        log.info(ready, self.runtime, threads, self.model_sha256[:12], self.loading)

    def embed(self, rgb: np.ndarray) -> np.ndarray:
        """Return the float32 embedding (1280,) of a uint8 (288, 288, 3) RGB picture."""
        assert rgb.dtype == np.uint8, rgb.dtype
        assert rgb.shape == INPUT_SHAPE, rgb.shape
        # The network takes int8 value - 128, which is the same bits with the top one turned.
        self._interpreter.set_tensor(self._input, (rgb ^ 0x80).view(np.int8)[None])
        self._interpreter.invoke()
        values = self._interpreter.get_tensor(self._output)[0].astype(np.float32)
        return (values - self._zero_point) * np.float32(self._scale)


def model_dir_of(configured: str) -> Path:
    """Return the folder of the artifacts: the configured one, or for "" the one in the package."""
    return Path(configured) if configured else PACKAGED_DIR


def network_sha256(model_dir: Path) -> str:
    """Return the hash of the network that the manifest names; Fault as `verified`, of the manifest alone."""
    return _hashes(_read(model_dir / MANIFEST_FILE), model_dir)[NETWORK_FILE]


def verified(model_dir: Path) -> str:
    """Return the SHA-256 of the manifest after every file that it names was found to be as it says.

    Errors: Fault MODEL-MISSING when a file cannot be read, MODEL-HASH when one differs or the manifest is broken.
    """
    manifest = _read(model_dir / MANIFEST_FILE)
    for name, digest in _hashes(manifest, model_dir).items():
        if hashlib.sha256(_read(model_dir / name)).hexdigest() != digest:
            raise Fault("MODEL-HASH", str(model_dir / name))
    return hashlib.sha256(manifest).hexdigest()


def runtime_module(
    installed: Callable[[str], bool] = lambda package: find_spec(package) is not None,
    python: tuple[int, int] = sys.version_info[:2],
) -> str:
    """Return the runtime's module name; Fault MODEL-RUNTIME-MISSING when there is none.

    Both are looked for without importing either. Past Python 3.11 tflite_runtime has no wheels, so a copy found
    there is a stray one and is not tried.
    """
    candidates = [TFLITE_RUNTIME, LITERT] if python <= TFLITE_RUNTIME_PYTHON_MAX else [LITERT]
    for name in candidates:
        if installed(name.partition(".")[0]):
            return name
    raise Fault("MODEL-RUNTIME-MISSING", f"none of {', '.join(candidates)} for Python {'.'.join(map(str, python))}")


def _hashes(manifest: bytes, model_dir: Path) -> dict[str, str]:
    """Return the hash of each file by its name; Fault MODEL-HASH where this is no manifest of a model."""
    try:
        expected = dict(json.loads(manifest)["sha256"])
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Fault("MODEL-HASH", f"{model_dir / MANIFEST_FILE} is not a manifest") from error
    if NETWORK_FILE not in expected:
        raise Fault("MODEL-HASH", f"{model_dir / MANIFEST_FILE} does not name {NETWORK_FILE}")
    odd = next((name for name in expected if not PLAIN_NAME.fullmatch(name)), None)
    if odd is not None:  # a device or a pipe, which reading would never come back from, or a file elsewhere
        raise Fault("MODEL-HASH", f"{model_dir / MANIFEST_FILE} names {odd[:40]!r}")
    return expected


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise Fault("MODEL-MISSING", f"{path}: {error.strerror}") from error
