"""Parameters of model_pack.ipynb: those of post-processing, and how the service is packed."""

from typing import Literal

from pydantic import Field

from sinara_lib.container.package_pins import OnnxruntimePackage
from sinara_lib.params import ParamsModel

PrecisionName = Literal["fp32", "fp16", "int8"]


class NmsSettings(ParamsModel):
    """Thresholds and limits of post-processing, named as mmdeploy names them."""

    iou_threshold: float = Field(default=0.65, gt=0, le=1)
    """Of two boxes of one class that overlap more than this, the lower-scored one goes."""
    score_threshold: float = Field(default=0.01, gt=0, lt=1)
    """Detections below it are dropped before suppression; low, because average precision needs the tail."""
    max_output_boxes_per_class: int = Field(default=200, ge=1)
    """Detections of one class in one image at most."""
    pre_top_k: int = Field(default=5000, ge=1)
    """Priors of one image that enter suppression at most, best first."""
    keep_top_k: int = Field(default=100, ge=1)
    """Detections of one image that leave at most."""


class PackParams(NmsSettings):
    """What model_pack can be told; handed on whole where post-processing is meant."""

    save_best: bool = True
    """Pack the best weights; `false` packs those of the last epoch."""
    precision: PrecisionName = "fp32"
    """What the network computes in; decoding and suppression stay fp32."""
    max_ap_loss: float = Field(default=0.02, ge=0, le=1)
    """AP on the eval split that fp16 or int8 may lose against fp32; beyond it nothing is published."""
    torchscript: bool = False
    """Pack `artifacts/model.pt` too, beside the ONNX file: the same model as TorchScript."""
    min_score: float = Field(default=0.25, ge=0, le=1)
    """The service leaves out detections below it, unless a request says `min_score`."""
    onnxruntime_package: OnnxruntimePackage = "onnxruntime"
    """What the service's image installs; `onnxruntime-gpu` for CUDA (its version is looked up with pip)."""
    parity_seed: int = 0
    """Seed of the noise that both models are compared on."""

    @property
    def weights(self) -> str:
        """File name of the weights to pack."""
        return "best.pth" if self.save_best else "last.pth"

    @property
    def splits(self) -> tuple[str, ...]:
        """Entities of data_prep that are read: both models are scored on eval, int8 is calibrated on train."""
        return ("coco_eval_dataset", "coco_train_dataset") if self.precision == "int8" else ("coco_eval_dataset",)


NOTEBOOKS = {"model_pack.ipynb": PackParams}
