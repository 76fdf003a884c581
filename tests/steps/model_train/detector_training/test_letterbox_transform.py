"""letterbox_transform: the detector is fed by the library's letterbox, boxes included."""

from pathlib import Path

import cv2
import mmdet
import numpy as np
import pytest
from mmcv.transforms import Compose
from mmdet.utils import register_all_modules
from mmengine.config import Config

from detector_training.config import eval_pipeline
from detector_training.transforms import DecodeImage, LetterboxImage
from sinara_lib.errors import DataError
from sinara_lib.vision.coco_archive import Split, member
from sinara_lib.vision.letterbox import letterbox
from tests.odd_images import ODD_IMAGES
from train_params import TrainParams

INSTANCES = [{"bbox": [3.0, 2.0, 41.0, 28.0], "bbox_label": 1, "ignore_flag": 0}]


@pytest.fixture
def wide_image(tmp_path: Path) -> Path:
    path = tmp_path / "wide.png"
    cv2.imwrite(str(path), np.random.default_rng(1).integers(0, 256, (33, 57, 3), dtype=np.uint8))
    return path


def test_image_and_boxes_are_those_of_mmdets_transforms(wide_image: Path) -> None:
    register_all_modules(init_default_scope=True)
    annotations = {"type": "LoadAnnotations", "with_bbox": True}
    pad = {"type": "Pad", "pad_to_square": True, "pad_val": {"img": (114.0, 114.0, 114.0)}}
    theirs = Compose(
        [{"type": "LoadImageFromFile"}, annotations, {"type": "Resize", "scale": (96, 96), "keep_ratio": True}, pad]
    )
    ours = Compose([{"type": "DecodeImage"}, annotations, {"type": "LetterboxImage", "size": (96, 96)}])
    given = {"img_path": str(wide_image), "instances": INSTANCES}

    expected, found = theirs(dict(given)), ours(dict(given))

    assert np.abs(found["img"].astype(int) - expected["img"]).max() <= 1
    np.testing.assert_allclose(found["gt_bboxes"].tensor, expected["gt_bboxes"].tensor, rtol=1e-6)
    assert found["scale_factor"] == pytest.approx(expected["scale_factor"])
    assert (found["img_shape"], found["ori_shape"]) == ((96, 96), (33, 57))


def test_the_evaluation_pipeline_gives_the_letterboxed_pixels_unchanged(wide_image: Path) -> None:
    register_all_modules(init_default_scope=True)
    pipeline = Compose(eval_pipeline(TrainParams(input_size=[64, 96])))

    packed = pipeline({"img_path": str(wide_image), "img_id": 1, "instances": INSTANCES})

    padded, _ = letterbox(cv2.imread(str(wide_image)), (64, 96))
    np.testing.assert_array_equal(packed["inputs"].numpy(), padded.transpose(2, 0, 1))
    assert packed["data_samples"].gt_instances.bboxes.tensor.tolist() == [INSTANCES[0]["bbox"]]


@pytest.mark.parametrize("name", ODD_IMAGES)
def test_odd_images_come_to_the_network_as_through_mmdets_own_test_pipeline_and_boxes_find_back(
    name: str, tmp_path: Path
) -> None:
    register_all_modules(init_default_scope=True)
    (tmp_path / name).write_bytes(ODD_IMAGES[name]())
    params = TrainParams(input_size=[640, 640])
    configurations = Path(mmdet.__file__).parent / ".mim" / "configs" / "yolox"
    theirs = Config.fromfile(configurations / "yolox_s_8xb8-300e_coco.py").test_pipeline
    given = {"img_path": str(tmp_path / name), "img_id": 1, "instances": INSTANCES}

    expected, found = (Compose(pipeline)(dict(given)) for pipeline in (theirs, eval_pipeline(params)))

    difference = found["inputs"].int() - expected["inputs"].int()
    assert found["inputs"].shape == (3, 640, 640)
    assert int(difference.abs().max()) <= 1
    ours, mmdets = (packed["data_samples"].metainfo for packed in (found, expected))
    assert ours["ori_shape"] == mmdets["ori_shape"]
    assert ours["scale_factor"] == pytest.approx(mmdets["scale_factor"])


def test_an_image_that_vanished_while_training_is_named(train: Split) -> None:
    path = Path(train.place, member(train.dataset.images[0]))
    path.unlink()

    with pytest.raises(DataError, match=path.name):
        DecodeImage().transform({"img_path": str(path)})


def test_without_boxes_the_letterbox_moves_only_pixels() -> None:
    found = LetterboxImage(size=(32, 32)).transform({"img": np.zeros((16, 8, 3), np.uint8)})

    assert "gt_bboxes" not in found
    assert found["scale_factor"] == (2.0, 2.0)
