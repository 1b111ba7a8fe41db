"""Checks the TFLite writer without torch and without photos: tiny random networks against the numpy reference."""

import numpy as np

from tools.training.network import EMBEDDING, RELU6_RANGE, Network, Range, measured_names
from tools.training.reference import int8_embedding, random_network
from tools.training.tflite import written

SEEDS = range(5)
PICTURES = 4
# Reference and runtime round each layer independently: one step in the embedding, two where such steps add up.
STEPS_MAX = 2
LINEAR_RANGE = (-4.0, 4.0)


def run() -> int:
    """Print one line per network; return 0 when every embedding is within STEPS_MAX of the reference, else 1."""
    worst = {seed: difference_steps(seed) for seed in SEEDS}
    for seed, steps in worst.items():
        print(f"network {seed}: differs by {steps} of 255 steps at most ({STEPS_MAX} allowed)")
    return 0 if max(worst.values()) <= STEPS_MAX else 1


def difference_steps(seed: int) -> int:
    """Return the largest difference between the file in an interpreter and the reference, in int8 steps."""
    network = random_network(seed)
    content = written(network, ranges_of(network), "self-test")
    draw = np.random.default_rng(seed)
    worst = 0
    for _ in range(PICTURES):
        picture = draw.integers(0, 256, (network.input_side, network.input_side, 3), dtype=np.uint8)
        reference = int8_embedding(network, ranges_of(network), picture).astype(int)
        worst = max(worst, int(np.abs(interpreted(content, picture) - reference).max()))
    return worst


def ranges_of(network: Network) -> dict[str, Range]:
    """Return ranges that fit the random networks well enough; what exceeds them is clipped on both sides alike."""
    return dict.fromkeys(measured_names(network), LINEAR_RANGE) | {EMBEDDING: RELU6_RANGE}


def interpreted(content: bytes, picture: np.ndarray) -> np.ndarray:
    """Return the int8 embedding, as int, that the installed runtime computes from a model file's bytes."""
    from importlib import import_module

    from cart.edge.classifier import runtime_module

    interpreter = import_module(runtime_module()).Interpreter(model_content=content)
    interpreter.allocate_tensors()
    interpreter.set_tensor(interpreter.get_input_details()[0]["index"], (picture ^ 0x80).view(np.int8)[None])
    interpreter.invoke()
    return interpreter.get_tensor(interpreter.get_output_details()[0]["index"])[0].astype(int)
