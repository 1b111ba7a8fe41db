"""What the int8 file of a `Network` must compute, in numpy: slow, for tiny networks, to check the writer against.

The sums are exact integers; each result is rescaled in float64 and rounded to the nearest, so a runtime that
rescales in fixed point may differ by one step per layer.
"""

import numpy as np

from tools.training.network import EMBEDDING, RELU6_RANGE, Block, Conv, Network, Range, same_padding
from tools.training.tflite import INPUT_QUANTISATION, quantisation, quantised_bias, quantised_weights

Quantised = tuple[np.ndarray, float, int]
"""int64 values, scale, zero point."""


def int8_embedding(network: Network, ranges: dict[str, Range], image: np.ndarray) -> np.ndarray:
    """Return the int8 embedding (n,) of a uint8 (side, side, 3) picture."""
    x: Quantised = (image.astype(np.int64) - 128, *INPUT_QUANTISATION)
    for block in network.blocks:
        entry = x
        for conv in block.convs:
            x = _convolved(conv, x, RELU6_RANGE if conv.relu6 else ranges[conv.name])
        if block.residual:
            x = _rounded(_real(entry) + _real(x), ranges[block.sum_name])
    return _rounded(_real(x).mean(axis=(0, 1)), ranges[EMBEDDING])[0].astype(np.int8)


def random_network(seed: int, side: int = 20) -> Network:
    """Return a tiny network with every kind of layer that the writer knows."""
    draw = np.random.default_rng(seed)

    def conv(name: str, out: int, into: int, kernel: int, **how: bool | int) -> Conv:
        weights = draw.normal(0.0, 1.5 / (kernel * np.sqrt(into)), (out, into, kernel, kernel))
        return Conv(name, weights, draw.normal(0.2, 0.3, out), **how)

    stem = Block("stem", (conv("stem", 8, 3, 3, stride=2),))
    plain = (conv("a.expand", 16, 8, 1), conv("a.depthwise", 16, 1, 3, depthwise=True))
    residual = Block("a", (*plain, conv("a.project", 8, 16, 1, relu6=False)), residual=True)
    strided = Block(
        "b", (conv("b.depthwise", 8, 1, 5, stride=2, depthwise=True), conv("b.project", 12, 8, 1, relu6=False))
    )
    return Network(side, (stem, residual, strided, Block("head", (conv("head", 24, 12, 1),))))


def _convolved(conv: Conv, x: Quantised, value_range: Range) -> Quantised:
    values, scale, zero_point = x
    weights, scales = quantised_weights(conv)
    bias, bias_scales = quantised_bias(conv, scale, scales)
    kernel, stride, side = weights.shape[-1], conv.stride, values.shape[0]
    pad = same_padding(side, kernel, stride)
    padded = np.pad(values - zero_point, (pad, pad, (0, 0)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (kernel, kernel), axis=(0, 1))[::stride, ::stride]
    if conv.depthwise:
        sums = np.einsum("yxcij,cij->yxc", windows, weights[:, 0].astype(np.int64))
    else:
        sums = np.einsum("yxcij,ocij->yxo", windows, weights.astype(np.int64))
    real = (sums + bias) * bias_scales.astype(np.float64)
    return _rounded(np.clip(real, *RELU6_RANGE) if conv.relu6 else real, value_range)


def _real(x: Quantised) -> np.ndarray:
    return (x[0] - x[2]) * x[1]


def _rounded(real: np.ndarray, value_range: Range) -> Quantised:
    scale, zero_point = quantisation(value_range)
    return np.clip(np.rint(real / scale) + zero_point, -128, 127).astype(np.int64), scale, zero_point
