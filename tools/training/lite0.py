"""EfficientNet-Lite0 that can be trained: the checkpoint's own tensors, normalisation folded in at every step.

Batch normalisation keeps its ImageNet statistics: batches of 32 near twins would give poor ones. Its gain and offset
are trained. With fixed statistics it is a factor per channel, which is folded into the (small) weights instead of
being applied to the (large) activations: the same function, less work.
"""

import torch
from torch.nn import functional

from tools.training.backbone import BATCH_NORM_EPSILON, Layer, LayerBlock, State, layer_blocks
from tools.training.depthwise import KERNEL, Depthwise5x5
from tools.training.network import INPUT_MEAN, INPUT_SCALE, same_padding

FROZEN_BLOCKS = 4
"""The stem and three blocks keep their weights: edges and colours are the same in a shop, and they cost most."""

FROZEN_BATCH = 8
"""Pictures that go through the frozen blocks at once: their activations are large and should stay in the cache."""

BLOCKS = layer_blocks()

SKIPPED_SHARE = 0.1
"""Share of the pictures that pass a block unchanged while training, in proportion to the block's depth.

0.1 would be that of the last convolution, which has no way round it: the deepest block that has one gets 0.088.
"""


def trained_keys() -> tuple[str, ...]:
    """Return the keys of the checkpoint that training changes."""
    keys = []
    for block in BLOCKS[FROZEN_BLOCKS:]:
        for layer in block.layers:
            keys += [f"{layer.conv}.weight", f"{layer.norm}.weight", f"{layer.norm}.bias"]
    return tuple(keys)


def network_input(rgb: torch.Tensor) -> torch.Tensor:
    """Return what the network takes of uint8 (n, side, side, 3) pictures: float32 (n, 3, side, side), channels last."""
    return (rgb.permute(0, 3, 1, 2).float() - INPUT_MEAN) / INPUT_SCALE


def embeddings(state: State, x: torch.Tensor, skipped_share: float = 0.0) -> torch.Tensor:
    """Return the float32 embedding (n, 1280) of what `network_input` gives, of any side.

    skipped_share  of the pictures that would skip the last block, 0 to 1, earlier ones in proportion to depth
                   (stochastic depth, Huang et al. 2016); lots are drawn by torch's generator
    """
    with torch.no_grad():
        x = torch.cat([_frozen(state, part) for part in x.split(FROZEN_BATCH)])
    for index, block in enumerate(BLOCKS[FROZEN_BLOCKS:], FROZEN_BLOCKS):
        x = _through(state, block, x, skipped_share * index / (len(BLOCKS) - 1))
    return x.float().mean((2, 3))


def _frozen(state: State, x: torch.Tensor) -> torch.Tensor:
    for block in BLOCKS[:FROZEN_BLOCKS]:
        x = _through(state, block, x)
    return x


def _through(state: State, block: LayerBlock, x: torch.Tensor, skipped_share: float = 0.0) -> torch.Tensor:
    y = x
    for layer in block.layers:
        y = _convolved(state, layer, y)
    if not block.residual:
        return y
    if skipped_share > 0.0:
        kept = torch.rand(len(x), 1, 1, 1, device=x.device) >= skipped_share
        # Those that stay are raised, so that what comes out is the same on average as without lots.
        y = y * (kept / (1.0 - skipped_share)).to(y.dtype)
    return x + y


def _convolved(state: State, layer: Layer, x: torch.Tensor) -> torch.Tensor:
    factor = state[f"{layer.norm}.weight"] / torch.sqrt(state[f"{layer.norm}.running_var"] + BATCH_NORM_EPSILON)
    weights = state[f"{layer.conv}.weight"] * factor[:, None, None, None]
    bias = state[f"{layer.norm}.bias"] - state[f"{layer.norm}.running_mean"] * factor
    before, after = same_padding(x.shape[-1], weights.shape[-1], layer.stride)
    groups = len(weights) if layer.depthwise else 1
    if layer.depthwise and weights.shape[-1] == KERNEL and torch.is_autocast_enabled(x.device.type):
        padded = functional.pad(x, (before, after, before, after)).contiguous(memory_format=torch.channels_last)
        kind = torch.get_autocast_dtype(x.device.type)
        y = Depthwise5x5.apply(padded.to(kind), weights.to(kind), bias.to(kind), layer.stride)
    elif before == after:
        y = functional.conv2d(x, weights, bias, layer.stride, before, groups=groups)
    else:
        y = functional.conv2d(
            functional.pad(x, (before, after, before, after)), weights, bias, layer.stride, groups=groups
        )
    return functional.relu6(y, inplace=True) if layer.relu6 else y
