"""Turns the trained PyTorch detector into one ONNX file with box decoding and NMS inside."""

from __future__ import annotations

import contextlib
import io
import json
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx
import torch
from detector_stem import with_strided_stem
from onnx_nms import NmsSettings, append_nms
from torch import Tensor, nn

from sinara_lib.errors import DataError
from sinara_lib.store import open_entity
from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops

OPSET = 18
STRIDE = 32
"""Height and width of the input are multiples of the network's coarsest stride; model_train asks the same."""
MODULES_KEY = "pkg.torch.onnx.name_scopes"
"""Where the exporter notes the modules that an operator comes from, the outermost first, its own name last."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ModelCard:
    """What model_train says about its model: `model.json` beside the weights."""

    model_name: str
    input_size: tuple[int, int]
    """Height and width in pixels."""
    classes: tuple[str, ...]
    category_ids: tuple[int, ...]
    run_id: str
    dataset_run: str

    @classmethod
    def load(cls, folder: str | Path) -> ModelCard:
        """Read `model.json` of an inference-files folder. Raises DataError when it is absent or incomplete."""
        path = Path(folder) / "model.json"
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            height, width = document["input_size"]
            card = cls(
                model_name=document["model_name"],
                input_size=(height, width),
                classes=tuple(document["classes"]),
                category_ids=tuple(document["category_ids"]),
                run_id=document["run_id"],
                dataset_run=document["dataset_run"],
            )
        except OSError as error:
            raise DataError(f"{path}: cannot be read ({error.strerror}); run model_train again.") from error
        except (ValueError, TypeError, KeyError) as error:
            raise DataError(f"{path}: not a complete model card ({error!r}); run model_train again.") from error
        if len(card.classes) != len(card.category_ids) or not card.classes:
            raise DataError(f"{path}: {len(card.classes)} classes but {len(card.category_ids)} category ids.")
        if any(side < STRIDE or side % STRIDE for side in card.input_size):
            raise DataError(f"{path}: input_size {list(card.input_size)} must be two multiples of {STRIDE}.")
        return card


class RawDetector(nn.Module):
    """The network with box decoding, before NMS.

    Input: images float32 [B, 3, H, W], BGR, 0 to 255. Output: boxes [B, P, 4] as x1, y1, x2, y2 in input
    pixels, and scores [B, P, K], class probability times objectness.
    """

    def __init__(self, detector: nn.Module) -> None:
        super().__init__()
        self.detector: Any = detector

    def forward(self, images: Tensor) -> tuple[Tensor, Tensor]:
        """Run backbone, neck and head, then decode every level."""
        return self.decode(self.detector.bbox_head(self.detector.extract_feat(images)))

    def decode(self, maps: Sequence[Sequence[Tensor]]) -> tuple[Tensor, Tensor]:
        """Turn the head's maps (class, box, objectness, each of every level) into boxes and scores."""
        strides = self.detector.bbox_head.prior_generator.strides
        levels = [_decode_level(*one, stride=stride[0]) for *one, stride in zip(*maps, strides, strict=True)]
        boxes, scores = zip(*levels, strict=True)
        return torch.cat(boxes, dim=1), torch.cat(scores, dim=1)


def load_detector(folder: str | Path, *, weights: str = "best.pth") -> nn.Module:
    """Build the detector of `config.py` with the weights of an inference-files folder, ready to predict.

    Raises DataError when a file is absent, does not load, or its layers do not fit the config.
    """
    folder = Path(folder)
    for path in (folder / "config.py", folder / weights):
        if not path.is_file():
            raise DataError(f"{path} is missing; obj_detect_inference_files needs it. Run model_train again.")
    detector = _build(folder / "config.py")
    _refuse_normalisation(detector, folder / "config.py")
    _load_weights(detector, folder / weights)
    return detector.eval()


def export_detector(
    detector: nn.Module, path: str | Path, *, card: ModelCard, nms: NmsSettings, metadata: dict[str, str]
) -> None:
    """Write `detector` to one ONNX file, opset 18, with dynamic batch, height and width (multiples of 32).

    Input `images` float32 [B, 3, H, W]; outputs `dets` [B, N, 5] and `labels` [B, N] (see `append_nms`). Constants
    are folded and batch normalisation is part of the convolutions: the exporter runs onnxscript's optimizer.
    """
    with tempfile.TemporaryDirectory() as work:
        raw = Path(work) / "raw.onnx"
        export_raw(detector, raw, card=card)
        model = append_nms(onnx.load(raw), nms)
    _keep_scopes_only(model)
    facts = {"classes": json.dumps(card.classes), "input_size": json.dumps(card.input_size), **metadata}
    save_model(model, path, metadata=facts)
    logger.info("Exported %s: opset %d, %.1f MB.", Path(path).name, OPSET, Path(path).stat().st_size / 1e6)


def save_model(model: onnx.ModelProto, path: str | Path, *, metadata: dict[str, str]) -> None:
    """Check a graph and write it to one file with `metadata` as its only properties."""
    onnx.helper.set_model_props(model, metadata)
    onnx.checker.check_model(model, full_check=True)
    onnx.save(model, str(path))


def model_metadata(card: ModelCard, url: str) -> dict[str, str]:
    """Return what the file says of its origin; `url` is the entity of model_train that the weights came in.

    `training_commit` is left out where the training ran outside a repository.
    """
    commit = open_entity(url).manifest.producer.commit
    facts = {"run_id": card.run_id, "dataset_run": card.dataset_run, "model_name": card.model_name}
    return facts | ({"training_commit": commit} if commit else {})


def export_raw(detector: nn.Module, path: str | Path, *, card: ModelCard) -> None:
    """Write the network up to decoded boxes and scores as ONNX: outputs `boxes` and `scores` of `RawDetector`."""
    # Of an axis of one cell torch.export would make a constant; the graph itself takes one cell too.
    height, width = (max(side, 2 * STRIDE) for side in card.input_size)
    side = {name: STRIDE * torch.export.Dim(f"{name}_cells", min=2, max=256) for name in ("height", "width")}
    dims = {0: torch.export.Dim("batch", min=1, max=1024), 2: side["height"], 3: side["width"]}
    with torch.no_grad(), _quiet_exporter():
        torch.onnx.export(
            RawDetector(with_strided_stem(detector)).eval(),
            (torch.zeros(2, 3, height, width),),
            str(path),
            input_names=["images"],
            output_names=["boxes", "scores"],
            opset_version=OPSET,
            dynamo=True,
            dynamic_shapes={"images": dims},
            external_data=False,
            verbose=False,
        )


def _keep_scopes_only(model: onnx.ModelProto) -> None:
    # The exporter notes the Python source of every operator, with paths of this machine. Which module an operator
    # comes from stays: it names the layer when the models differ.
    for node in model.graph.node:
        kept = [one for one in node.metadata_props if one.key == MODULES_KEY]
        del node.metadata_props[:]
        node.metadata_props.extend(kept)
        node.ClearField("doc_string")
    del model.graph.metadata_props[:]
    for value in (*model.graph.value_info, *model.graph.input, *model.graph.output):
        del value.metadata_props[:]


@contextlib.contextmanager
def _quiet_exporter() -> Iterator[None]:
    # The exporter reports each of hundreds of merged constants, and each operator of packages that are not installed.
    levels = {"onnx_ir": logging.WARNING, "torch.onnx": logging.ERROR}
    before = {name: logging.getLogger(name).level for name in levels}
    try:
        for name, level in levels.items():
            logging.getLogger(name).setLevel(level)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        for name, level in before.items():
            logging.getLogger(name).setLevel(level)


def _decode_level(cls: Tensor, box: Tensor, objectness: Tensor, *, stride: int) -> tuple[Tensor, Tensor]:
    # One feature map of h x w cells; cell (row, column) predicts an offset and the log of a size, in strides.
    rows, columns = cls.shape[-2:]
    y, x = torch.meshgrid(
        torch.arange(rows, dtype=box.dtype, device=box.device),
        torch.arange(columns, dtype=box.dtype, device=box.device),
        indexing="ij",
    )
    corner = torch.stack((x, y), dim=-1).reshape(1, -1, 2)
    prediction = box.flatten(2).transpose(1, 2)
    centre = (prediction[..., :2] + corner) * stride
    half = prediction[..., 2:].exp() * (stride / 2)
    scores = cls.flatten(2).transpose(1, 2).sigmoid() * objectness.flatten(2).transpose(1, 2).sigmoid()
    return torch.cat((centre - half, centre + half), dim=-1), scores


def _build(path: Path) -> nn.Module:
    ensure_mmcv_ops()
    # mmdet warns of, and prints, each optional package that is not installed.
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        from mmdet.utils import register_all_modules
        from mmengine.config import Config
        from mmengine.registry import MODELS

        register_all_modules(init_default_scope=True)
        config = Config.fromfile(str(path), import_custom_modules=False)
        config.model.pop("init_cfg", None)
        detector: nn.Module = MODELS.build(config.model)
    return detector


def _load_weights(detector: nn.Module, path: Path) -> None:
    try:
        checkpoint: dict[str, Any] = torch.load(path, map_location="cpu", weights_only=True)
        detector.load_state_dict(checkpoint["state_dict"], strict=True)
    except Exception as error:
        # torch raises many kinds here (pickle, zip, key, shape); for the user all say: these are not the weights.
        first_lines = " ".join(str(error).split())[:300]
        raise DataError(f"{path}: the weights do not fit config.py beside them: {first_lines}") from error


def _refuse_normalisation(detector: nn.Module, path: Path) -> None:
    if getattr(detector.data_preprocessor, "_enable_normalize", False):
        raise DataError(
            f"{path}: data_preprocessor normalises images, but the service feeds them as they are; "
            "remove mean and std from it and train again."
        )
