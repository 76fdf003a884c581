"""A smaller variant of the exported graph: the network in fp16 or int8, decoding and suppression in fp32."""

from __future__ import annotations

import ast
import contextlib
import logging
import tempfile
import warnings
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import onnx

from detector_export.export import MODULES_KEY
from detector_export.images import NetworkImage

CALIBRATION_IMAGES = 64
"""Images of the train split that the ranges of int8 are taken from."""

EARLY_MODULES = frozenset({"detector.backbone.stem", "detector.backbone.stage1"})
"""They stay fp32 in int8: pictures are not normalised, and 256 steps are too few for the ranges of what they give."""


def to_half(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the graph with fp16 weights and arithmetic in the network; inputs and outputs stay fp32.

    onnxruntime runs it on the CPU too, where it computes in fp32 between casts: half the size, but not faster.
    """
    from onnxruntime.quantization.onnx_model import ONNXModel
    from onnxruntime.transformers.float16 import convert_float_to_float16

    with _quiet():
        half = ONNXModel(convert_float_to_float16(_network(model), keep_io_types=True))
        half.topological_sort()  # the tool puts its casts at the end
        return _replace_network(model, half.model)


def to_int8(model: onnx.ModelProto, images: Iterable[NetworkImage]) -> onnx.ModelProto:
    """Return the graph with int8 weights and activations in the network, each channel with a scale of its own.

    The ranges of the activations are those that `images` show (static quantisation, QDQ). Weights have seven bits,
    so that processors without VNNI, whose sums of 16 bits would overflow, give the same answers.
    """
    from onnxruntime.quantization import QuantFormat, QuantType, quantize_static

    network = _network(model)
    with tempfile.TemporaryDirectory() as work, _quiet():
        path = Path(work) / "int8.onnx"
        quantize_static(
            network,
            path,
            _Calibration(images),
            quant_format=QuantFormat.QDQ,
            per_channel=True,
            reduce_range=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            nodes_to_exclude=[node.name for node in network.graph.node if _is_early(node)],
        )
        return _replace_network(model, onnx.load(path))


class _Calibration:
    """The images as onnxruntime's calibration asks for them: one input after the other, then None."""

    def __init__(self, images: Iterable[NetworkImage]) -> None:
        self._images = iter(images)

    def get_next(self) -> dict[str, Any] | None:
        """Return the next input."""
        image = next(self._images, None)
        return None if image is None else {"images": image.pixels[None]}


def _is_early(node: onnx.NodeProto) -> bool:
    scopes = next((one.value for one in node.metadata_props if one.key == MODULES_KEY), "[]")
    return not EARLY_MODULES.isdisjoint(ast.literal_eval(scopes))


def _network(model: onnx.ModelProto) -> onnx.ModelProto:
    """Return the part that convolutions need, up to the last of them; its outputs are what the rest takes from it."""
    nodes, rest = _parted(model)
    made = {name for node in nodes for name in node.output}
    taken = dict.fromkeys(name for node in rest for name in node.input if name in made)
    types = {one.name: one for one in onnx.shape_inference.infer_shapes(model).graph.value_info}
    network = _copy(model)
    _refill(network.graph.node, nodes)
    _refill(network.graph.output, [types[name] for name in taken])
    del network.graph.value_info[:]
    _drop_unused(network.graph)
    return network


def _replace_network(model: onnx.ModelProto, network: onnx.ModelProto) -> onnx.ModelProto:
    whole, rest = _copy(network), _parted(model)[1]
    known = {one.name for one in whole.graph.initializer}
    needed = {name for node in rest for name in node.input} - known
    whole.graph.node.extend(rest)
    whole.graph.initializer.extend(one for one in model.graph.initializer if one.name in needed)
    _refill(whole.graph.output, model.graph.output)
    onnx.checker.check_model(whole)
    return whole


def _parted(model: onnx.ModelProto) -> tuple[list[onnx.NodeProto], list[onnx.NodeProto]]:
    """Return the nodes that lead to a convolution, and the others: decoding and suppression; both in their order."""
    wanted: set[str] = set()
    network: list[onnx.NodeProto] = []
    rest: list[onnx.NodeProto] = []
    for node in reversed(model.graph.node):
        leads = node.op_type == "Conv" or not wanted.isdisjoint(node.output)
        (network if leads else rest).insert(0, node)
        wanted.update(node.input if leads else ())
    return network, rest


def _drop_unused(graph: onnx.GraphProto) -> None:
    used = {name for node in graph.node for name in node.input}
    _refill(graph.initializer, [one for one in graph.initializer if one.name in used])


def _refill(container: Any, content: Iterable[Any]) -> None:
    kept = list(content)
    del container[:]
    container.extend(kept)


def _copy(model: onnx.ModelProto) -> onnx.ModelProto:
    copy = onnx.ModelProto()
    copy.CopyFrom(model)
    return copy


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    # Both tools log through the root logger, and warn of weights too small for fp16.
    level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(level)
