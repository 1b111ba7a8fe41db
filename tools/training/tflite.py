"""A `Network` as an int8 TFLite file, written directly; the only module of the tools that imports flatbuffers.

No converter is needed: the file is a flatbuffer of a public schema, whose Python module ships inside ai-edge-litert.
Weights are int8, one scale per output channel, symmetric; activations int8 with one scale and zero point per tensor;
bias int32 (the TFLite quantisation specification). Only operators and versions that tflite-runtime 2.14 reads.
"""

from dataclasses import dataclass

import flatbuffers
import numpy as np
from ai_edge_litert import schema_py_generated as schema

from tools.training.network import EMBEDDING, INPUT_SCALE, RELU6_RANGE, Conv, Network, Range

FILE_IDENTIFIER = b"TFL3"
SCHEMA_VERSION = 3
WEIGHT_MAX = 127
# uint8 v is fed as int8 v - 128, so real (v - 127) / 128 is scale 1/128 and zero point -1.
INPUT_QUANTISATION = (1.0 / INPUT_SCALE, -1)

# Operator versions: the lowest that takes int8 with a scale per channel.
CONV_VERSION, DEPTHWISE_VERSION, ADD_VERSION, MEAN_VERSION, RESHAPE_VERSION = 3, 3, 2, 2, 1

Operator = schema.BuiltinOperator
Options = schema.BuiltinOptions
Type = schema.TensorType


@dataclass(frozen=True, slots=True)
class Value:
    """A tensor in the file: its index, its shape without the batch, scale and zero point."""

    index: int
    side: int
    channels: int
    scale: float
    zero_point: int


def written(network: Network, ranges: dict[str, Range], description: str) -> bytes:
    """Return the TFLite file of `network`: uint8-as-int8 picture in, int8 embedding (1, n) out.

    ranges  range of each tensor that `network.measured_names` lists
    """
    model = _Model(description)
    x = model.activation("image", network.input_side, 3, INPUT_QUANTISATION)
    image = x.index
    for block in network.blocks:
        entry = x
        for conv in block.convs:
            x = model.convolution(conv, x, quantisation(RELU6_RANGE if conv.relu6 else ranges[conv.name]))
        if block.residual:
            x = model.addition(block.sum_name, entry, x, quantisation(ranges[block.sum_name]))
    return model.packed(image, model.mean(x, quantisation(ranges[EMBEDDING])))


def quantisation(value_range: Range) -> tuple[float, int]:
    """Return scale and zero point of an int8 tensor over `value_range`, widened so that 0 is exact."""
    low, high = min(value_range[0], 0.0), max(value_range[1], 0.0)
    assert high > low, "a tensor that is always 0 has no scale"
    scale = (high - low) / 255.0
    return scale, round(-128 - low / scale)


def quantised_weights(conv: Conv) -> tuple[np.ndarray, np.ndarray]:
    """Return the int8 weights (out, in, height, width) and one scale per output channel."""
    largest = np.abs(conv.weights).reshape(conv.out_channels, -1).max(axis=1)
    # A dead channel (all weights 0) gets a tiny scale: it stays 0 whatever the scale is.
    scales = (np.maximum(largest, 1e-9) / WEIGHT_MAX).astype(np.float32)
    weights = np.rint(conv.weights / scales.astype(np.float64)[:, None, None, None])
    return np.clip(weights, -WEIGHT_MAX, WEIGHT_MAX).astype(np.int8), scales


def quantised_bias(conv: Conv, input_scale: float, weight_scales: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the int32 bias and its scales, which are input scale times weight scales."""
    scales = (np.float32(input_scale) * weight_scales).astype(np.float32)
    limit = np.iinfo(np.int32)
    return np.clip(np.rint(conv.bias / scales.astype(np.float64)), limit.min + 1, limit.max).astype(np.int32), scales


class _Model:
    """The object tree of the schema, while it grows."""

    def __init__(self, description: str) -> None:
        self._model = schema.ModelT()
        self._model.version = SCHEMA_VERSION
        self._model.description = description
        self._model.buffers = [schema.BufferT()]  # buffer 0 is empty by convention: "no data"
        self._model.operatorCodes = []
        self._graph = schema.SubGraphT()
        self._graph.name = "main"
        self._graph.tensors = []
        self._graph.operators = []
        self._codes: dict[tuple[int, int], int] = {}

    def activation(self, name: str, side: int, channels: int, quant: tuple[float, int]) -> Value:
        index = self._tensor(name, (1, side, side, channels), Type.INT8, [quant[0]], [quant[1]])
        return Value(index, side, channels, *quant)

    def convolution(self, conv: Conv, x: Value, quant: tuple[float, int]) -> Value:
        weights, scales = quantised_weights(conv)
        bias, bias_scales = quantised_bias(conv, x.scale, scales)
        # TFLite keeps a depthwise kernel as (1, height, width, out), any other as (out, height, width, in).
        layout, channel_axis = ((1, 2, 3, 0), 3) if conv.depthwise else ((0, 2, 3, 1), 0)
        zeros = np.zeros(conv.out_channels)
        weights_index = self._constant(f"{conv.name}/weights", weights.transpose(layout), scales, zeros, channel_axis)
        bias_index = self._constant(f"{conv.name}/bias", bias, bias_scales, zeros)
        y = self.activation(conv.name, -(-x.side // conv.stride), conv.out_channels, quant)
        inputs = [x.index, weights_index, bias_index]
        if conv.depthwise:
            options = schema.DepthwiseConv2DOptionsT()
            options.depthMultiplier = 1
            kind, options_type, version = Operator.DEPTHWISE_CONV_2D, Options.DepthwiseConv2DOptions, DEPTHWISE_VERSION
        else:
            options = schema.Conv2DOptionsT()
            kind, options_type, version = Operator.CONV_2D, Options.Conv2DOptions, CONV_VERSION
        options.padding = schema.Padding.SAME
        options.strideH = options.strideW = conv.stride
        options.dilationHFactor = options.dilationWFactor = 1
        activations = schema.ActivationFunctionType
        options.fusedActivationFunction = activations.RELU6 if conv.relu6 else activations.NONE
        self._operator(kind, version, inputs, y.index, options_type, options)
        return y

    def addition(self, name: str, a: Value, b: Value, quant: tuple[float, int]) -> Value:
        y = self.activation(name, b.side, b.channels, quant)
        options = schema.AddOptionsT()
        options.fusedActivationFunction = schema.ActivationFunctionType.NONE
        self._operator(Operator.ADD, ADD_VERSION, [a.index, b.index], y.index, Options.AddOptions, options)
        return y

    def mean(self, x: Value, quant: tuple[float, int]) -> int:
        """Return the index of the mean of `x` over the picture, as (1, channels)."""
        axes = self._constant("mean/axes", np.array([1, 2], np.int32))
        pooled = self.activation("mean", 1, x.channels, quant)
        options = schema.ReducerOptionsT()
        options.keepDims = True
        self._operator(Operator.MEAN, MEAN_VERSION, [x.index, axes], pooled.index, Options.ReducerOptions, options)

        shape = np.array([1, x.channels], np.int32)
        shape_index = self._constant("embedding/shape", shape)
        flat = self._tensor(EMBEDDING, shape, Type.INT8, [quant[0]], [quant[1]])
        reshape = schema.ReshapeOptionsT()
        reshape.newShape = shape
        inputs = [pooled.index, shape_index]
        self._operator(Operator.RESHAPE, RESHAPE_VERSION, inputs, flat, Options.ReshapeOptions, reshape)
        return flat

    def packed(self, input_index: int, output_index: int) -> bytes:
        """Return the file's bytes; the same tree always gives the same bytes."""
        self._graph.inputs = np.array([input_index], np.int32)
        self._graph.outputs = np.array([output_index], np.int32)
        self._model.subgraphs = [self._graph]
        builder = flatbuffers.Builder(1 << 20)
        builder.Finish(self._model.Pack(builder), FILE_IDENTIFIER)
        return bytes(builder.Output())

    def _constant(self, name, data, scales=None, zero_points=None, channel_axis=0) -> int:
        data = np.ascontiguousarray(data)
        buffer = schema.BufferT()
        buffer.data = np.frombuffer(data.astype(data.dtype.newbyteorder("<")).tobytes(), np.uint8)
        self._model.buffers.append(buffer)
        kind = {np.dtype(np.int8): Type.INT8, np.dtype(np.int32): Type.INT32}[data.dtype]
        return self._tensor(name, data.shape, kind, scales, zero_points, channel_axis, len(self._model.buffers) - 1)

    def _tensor(self, name, shape, kind, scales=None, zero_points=None, channel_axis=0, buffer=0) -> int:
        tensor = schema.TensorT()
        tensor.name = name
        tensor.shape = np.array(shape, np.int32)
        tensor.type = kind
        tensor.buffer = buffer
        if scales is not None:
            tensor.quantization = schema.QuantizationParametersT()
            tensor.quantization.scale = np.asarray(scales, np.float32)
            tensor.quantization.zeroPoint = np.asarray(zero_points, np.int64)
            tensor.quantization.quantizedDimension = channel_axis
        self._graph.tensors.append(tensor)
        return len(self._graph.tensors) - 1

    def _operator(self, kind, version, inputs, output, options_type, options) -> None:
        operator = schema.OperatorT()
        operator.opcodeIndex = self._code(kind, version)
        operator.inputs = np.array(inputs, np.int32)
        operator.outputs = np.array([output], np.int32)
        operator.builtinOptionsType = options_type
        operator.builtinOptions = options
        self._graph.operators.append(operator)

    def _code(self, kind: int, version: int) -> int:
        if (kind, version) not in self._codes:
            code = schema.OperatorCodeT()
            code.builtinCode = kind
            code.deprecatedBuiltinCode = min(kind, 127)  # readers older than 2.4 look here
            code.version = version
            self._model.operatorCodes.append(code)
            self._codes[kind, version] = len(self._model.operatorCodes) - 1
        return self._codes[kind, version]
