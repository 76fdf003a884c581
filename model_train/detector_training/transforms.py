"""The library's decoding and letterbox as transforms that a detector configuration can name."""

from __future__ import annotations

import contextlib
import io
import random
from collections.abc import Sized
from typing import Any

from sinara_lib.errors import DataError
from sinara_lib.vision import store_backend  # noqa: F401  (registers the places that images are read from)
from sinara_lib.vision.letterbox import PAD_VALUE, decode_image, letterbox
from sinara_lib.vision.mmcv_ops import ensure_mmcv_ops

ensure_mmcv_ops()

from mmcv.transforms import BaseTransform  # noqa: E402  (mmdet can be imported only now)
from mmdet.registry import TRANSFORMS  # noqa: E402
from mmengine.fileio import get  # noqa: E402

with contextlib.redirect_stdout(io.StringIO()):  # it prints which package it does without
    from mmdet.datasets.transforms import MixUp, Mosaic, RandomAffine

SCALES = (0.5, 1.5)


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


@TRANSFORMS.register_module()
class MosaicImage(Mosaic):
    """With probability `share`: mmdet's mosaic of four images, rotated, sheared and scaled as YOLOX does it.

    size: (height, width) of the result in pixels. Other images are read only when they are needed.
    mmdet's own draws an index one beyond the dataset, and moves images that are no mosaic out of sight.
    """

    def __init__(self, size: tuple[int, int], share: float) -> None:
        height, width = size
        super().__init__(img_scale=(width, height), pad_val=float(PAD_VALUE))
        self._affine = RandomAffine(
            scaling_ratio_range=SCALES, border=(-(width // 2), -(height // 2)), border_val=(PAD_VALUE,) * 3
        )
        self._share = share

    def get_indexes(self, dataset: Sized) -> list[int]:
        """Draw the three images that join the first; none where it stays alone."""
        return [random.randrange(len(dataset)) for _ in range(3)] if random.random() < self._share else []  # noqa: S311

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace image and boxes by those of the mosaic."""
        return self._affine.transform(super().transform(results)) if results["mix_results"] else results


@TRANSFORMS.register_module()
class MixUpImage(MixUp):
    """With probability `share`: mmdet's mixup, two images of equal strength, the second scaled at random.

    size: (height, width) of the letterboxed image in pixels.
    """

    def __init__(self, size: tuple[int, int], share: float) -> None:
        super().__init__(img_scale=(size[1], size[0]), ratio_range=SCALES, pad_val=float(PAD_VALUE))
        self._share = share

    def get_indexes(self, dataset: Sized) -> list[int]:
        """Draw the image that joins the first; none where it stays alone."""
        return [random.randrange(len(dataset))] if random.random() < self._share else []  # noqa: S311

    def transform(self, results: dict[str, Any]) -> dict[str, Any]:
        """Replace the image by the mean of both, and add the boxes of the second."""
        return super().transform(results) if results["mix_results"] else results
