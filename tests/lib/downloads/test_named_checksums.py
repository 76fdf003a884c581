"""source_digests: which end of a checkpoint's name is the start of its checksum, and which is a date."""

import pytest

from sinara_lib.downloads.digests import named_sha256


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("yolox_s_8x8_300e_coco_20211121_095711-4592a793.pth", "4592a793"),
        ("yolox_l_8x8_300e_coco_20211126_140236-d3bd8b23.pth", "d3bd8b23"),
        ("https://host/weights/resnet50-19c8e357.pth?token=1", "19c8e357"),
        ("resnet-45927931.pth", "45927931"),
        ("resnet-20219931.pth", "20219931"),
        ("model-20240131.pth", ""),
        ("model-20240131235959.pt", ""),
        ("model-2024.pth", ""),
        ("best_ckpt.pth", ""),
    ],
)
def test_digits_that_are_a_date_are_no_checksum_and_all_others_are(name: str, found: str) -> None:
    assert named_sha256(name) == found
