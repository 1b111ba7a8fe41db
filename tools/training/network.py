"""A convolutional network as plain arrays: what the backbone becomes and what the TFLite writer takes.

Only what EfficientNet-Lite needs: convolutions with TensorFlow's SAME padding, ReLU6 or none, residual additions,
and a mean over the picture at the end. Batch normalisation is already folded into weights and bias.
"""

from dataclasses import dataclass

import numpy as np

RELU6_RANGE = (0.0, 6.0)
INPUT_MEAN = 127.0
INPUT_SCALE = 128.0

Range = tuple[float, float]
"""Smallest and largest value that a tensor takes over the calibration photos."""


@dataclass(frozen=True, slots=True)
class Conv:
    """One convolution.

    weights    (out, in, height, width); a depthwise one has in = 1
    bias       (out,)
    stride     1 or 2, both ways
    depthwise  each channel has a kernel of its own
    relu6      clip the result to 0..6; without it the result is linear and its range has to be measured
    """

    name: str
    weights: np.ndarray
    bias: np.ndarray
    stride: int = 1
    depthwise: bool = False
    relu6: bool = True

    @property
    def out_channels(self) -> int:
        """How many channels come out."""
        return int(self.weights.shape[0])


@dataclass(frozen=True, slots=True)
class Block:
    """Convolutions one after the other; `residual` adds the block's input to what comes out."""

    name: str
    convs: tuple[Conv, ...]
    residual: bool = False

    @property
    def sum_name(self) -> str:
        """The name of the tensor after the addition."""
        return f"{self.name}.sum"


@dataclass(frozen=True, slots=True)
class Network:
    """Blocks one after the other, then the mean over the picture.

    input_side  pixels; the input is (1, side, side, 3), RGB, (value - 127) / 128
    """

    input_side: int
    blocks: tuple[Block, ...]


EMBEDDING = "embedding"


def measured_names(network: Network) -> tuple[str, ...]:
    """Return the names of the tensors whose range must be measured: linear ones, sums and the embedding."""
    names = []
    for block in network.blocks:
        names += [conv.name for conv in block.convs if not conv.relu6]
        names += [block.sum_name] if block.residual else []
    return (*names, EMBEDDING)


def same_padding(side: int, kernel: int, stride: int) -> tuple[int, int]:
    """Return the pixels to add before and after, as TensorFlow's SAME does; the odd one comes after."""
    out = -(-side // stride)
    total = max((out - 1) * stride + kernel - side, 0)
    return total // 2, total - total // 2
