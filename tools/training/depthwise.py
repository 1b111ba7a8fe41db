"""Depthwise 5x5 convolutions in bfloat16 with gradients that a CPU computes fast.

oneDNN has quick kernels for the weight gradient of a 3x3 depthwise convolution, and none for 5x5: that one gradient
took two thirds of a training step (117 ms for 672 channels of 14x14, batch 32, against 16 ms here). A 5x5 kernel is
covered by four overlapping 3x3 ones, whose gradients are taken from shifted inputs. The input gradient of a strided
one is slow likewise; it is an unstrided convolution of the gradient with zeros put in between.
"""

import torch
from torch.nn import functional

KERNEL = 5
WINDOW = 3
OFFSETS = (0, 2)
"""Where the windows start, both ways: 0 to 2 and 2 to 4 cover all five taps, the shared ones with the same value."""


class Depthwise5x5(torch.autograd.Function):
    """`apply(x, weights, bias, stride)` of an x that is already padded: (n, c, h, w), channels last."""

    @staticmethod
    def forward(ctx, x: torch.Tensor, weights: torch.Tensor, bias: torch.Tensor, stride: int) -> torch.Tensor:
        """Return the convolution."""
        ctx.save_for_backward(x, weights)
        ctx.stride = stride
        return functional.conv2d(x, weights, bias, stride, groups=len(weights))

    @staticmethod
    def backward(ctx, slope: torch.Tensor):
        """Return the gradients of x, weights and bias."""
        x, weights = ctx.saved_tensors
        slope = slope.contiguous(memory_format=torch.channels_last)
        by_input = input_gradient(slope, weights, ctx.stride, x.shape[-1]) if ctx.needs_input_grad[0] else None
        return by_input, weight_gradient(x, slope, ctx.stride), slope.sum((0, 2, 3)), None


def weight_gradient(x: torch.Tensor, slope: torch.Tensor, stride: int) -> torch.Tensor:
    """Return the gradient (c, 1, 5, 5) of the weights, x being padded already."""
    channels = x.shape[1]
    side = (slope.shape[-1] - 1) * stride + WINDOW
    result = torch.empty(channels, 1, KERNEL, KERNEL, dtype=x.dtype, device=x.device)
    shape = torch.empty(channels, 1, WINDOW, WINDOW, dtype=x.dtype, device=x.device)
    for top in OFFSETS:
        for left in OFFSETS:
            window = x[:, :, top : top + side, left : left + side].contiguous(memory_format=torch.channels_last)
            part = torch.ops.aten.convolution_backward(
                slope, window, shape, None, [stride] * 2, [0, 0], [1, 1], False, [0, 0], channels, (False, True, False)
            )[1]
            result[:, :, top : top + WINDOW, left : left + WINDOW] = part
    return result


def input_gradient(slope: torch.Tensor, weights: torch.Tensor, stride: int, side: int) -> torch.Tensor:
    """Return the gradient (n, c, side, side) of the padded input."""
    count, channels, height, _ = slope.shape
    spread = slope
    if stride > 1:
        reach = (height - 1) * stride + 1
        spread = slope.new_zeros(count, channels, reach, reach).contiguous(memory_format=torch.channels_last)
        spread[:, :, ::stride, ::stride] = slope
    rest = side - (spread.shape[-1] + KERNEL - 1)  # rows and columns that no window reached
    full = functional.conv2d(spread, weights.flip(2, 3), padding=KERNEL - 1, groups=channels)
    return functional.pad(full, (0, rest, 0, rest)) if rest else full
