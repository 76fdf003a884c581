"""The library's decoding and letterbox as transforms that a detector configuration can name."""

from __future__ import annotations

from typing import Any

from sinara_lib.errors import DataError
from sinara_lib.vision import store_backend  # noqa: F401  (registers the places that images are read from)
from sinara_lib.vision.letterbox import decode_image, letterbox
from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops

ensure_mmcv_ops()

from mmcv.transforms import BaseTransform  # noqa: E402  (mmdet can be imported only now)
from mmdet.registry import TRANSFORMS  # noqa: E402
from mmengine.fileio import get  # noqa: E402


@TRANSFORMS.register_module()
class DecodeImage(BaseTransform):
    """Read `img_path` and decode it: uint8 BGR, H x W x 3. Raises DataError with the path."""

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Add the keys img, img_shape and ori_shape."""
        try:
            image = decode_image(get(results["img_path"]))
        except (OSError, ValueError) as error:
            raise DataError(f"Image {results['img_path']} cannot be used: {error}. Run data_prep again.") from error
        shape = image.shape[:2]
        return {**results, "img": image, "img_shape": shape, "ori_shape": shape}


@TRANSFORMS.register_module()
class LetterboxImage(BaseTransform):
    """Letterbox the image, and its boxes where they are loaded, to `size` (height, width)."""

    def __init__(self, size: tuple[int, int]) -> None:
        self.size = (int(size[0]), int(size[1]))

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace img and img_shape, add scale_factor (x, y), move gt_bboxes."""
        height, width = results["img"].shape[:2]
        padded, scale = letterbox(results["img"], self.size)
        factor = tuple(max(1, int(side * scale + 0.5)) / side for side in (width, height))
        if "gt_bboxes" in results:
            results["gt_bboxes"].rescale_(factor)
        return {**results, "img": padded, "img_shape": padded.shape[:2], "scale_factor": factor}
