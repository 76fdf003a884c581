"""Where two models part: the first layer whose output in the ONNX graph is not that of the PyTorch module."""

from __future__ import annotations

import ast
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import torch
from torch import nn

from detector_export.export import MODULES_KEY, RawDetector
from export_checks.outputs import RAW_OUTPUTS, Array, open_session

LAYER_TOLERANCE = 1e-4
"""Largest difference relative to the largest value of the layer; rounding stays a hundred times below."""


def first_difference(detector: nn.Module, model: str | Path | onnx.ModelProto, pixels: Array) -> str:
    """Say in a sentence which module's output differs first, on one image float32 [3, H, W].

    Every module of the network whose output the graph still has is compared, in the order of the graph.
    """
    graph = model if isinstance(model, onnx.ModelProto) else onnx.load(str(model))
    network = RawDetector(detector).eval()
    modules = dict(network.named_modules())
    tensors = {path: name for path, name in _module_outputs(graph).items() if path and path in modules}
    wanted = [*dict.fromkeys([*tensors.values(), *RAW_OUTPUTS])]
    found = dict(zip(wanted, open_session(graph, outputs=wanted).run(wanted, {"images": pixels[None]}), strict=True))
    with _recorded({path: modules[path] for path in tensors}) as expected, torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        raw = network(torch.from_numpy(pixels[None]))
    compared = 0
    for path, name in tensors.items():
        if path in expected and expected[path].shape == found[name].shape:
            compared += 1
            if (error := _error(found[name], expected[path])) > LAYER_TOLERANCE:
                return f"The first layer that differs is {path} (off by {error:.2g}; {compared - 1} before it agree)."
    for name, value in zip(RAW_OUTPUTS, raw, strict=True):
        if (error := _error(found[name], value.numpy())) > LAYER_TOLERANCE:
            return f"All {compared} layers agree: the decoding of {name} differs (off by {error:.2g})."
    return f"All {compared} layers and both raw outputs agree: suppression differs."


def _module_outputs(graph: onnx.ModelProto) -> dict[str, str]:
    """Return the tensor that leaves each module, by the module's path, in the order in which they leave."""
    values = onnx.shape_inference.infer_shapes(graph).graph.value_info
    floats = {one.name for one in values if one.type.tensor_type.elem_type == onnx.TensorProto.FLOAT}
    last: dict[str, str] = {}
    for node in (one for one in graph.graph.node if one.output[0] in floats):
        scopes = next((one.value for one in node.metadata_props if one.key == MODULES_KEY), "[]")
        for path in ast.literal_eval(scopes)[:-1]:
            last.pop(path, None)  # a module leaves with its last operator
            last[path] = node.output[0]
    return last


@contextmanager
def _recorded(modules: Mapping[str, nn.Module]) -> Iterator[dict[str, Array]]:
    outputs: dict[str, Array] = {}

    def keep(path: str) -> Any:
        def hook(_module: nn.Module, _inputs: Any, output: Any) -> None:
            if isinstance(output, torch.Tensor):
                outputs[path] = output.numpy()

        return hook

    handles = [module.register_forward_hook(keep(path)) for path, module in modules.items()]
    try:
        yield outputs
    finally:
        for handle in handles:
            handle.remove()


def _error(found: Array, expected: Array) -> float:
    if not np.isfinite(found).all() or not np.isfinite(expected).all():
        return float("inf")
    return float(np.abs(found - expected).max() / max(float(np.abs(expected).max()), 1e-12))
