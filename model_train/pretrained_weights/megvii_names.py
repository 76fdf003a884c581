"""Layer names of Megvii's YOLOX repository as MMDetection calls the same layers."""

from __future__ import annotations

import re
from collections.abc import Iterable

_PLACES = {
    "backbone.backbone.": "backbone.",
    "backbone.lateral_conv0.": "neck.reduce_layers.0.",
    "backbone.reduce_conv1.": "neck.reduce_layers.1.",
    "backbone.C3_p4.": "neck.top_down_blocks.0.",
    "backbone.C3_p3.": "neck.top_down_blocks.1.",
    "backbone.bu_conv2.": "neck.downsamples.0.",
    "backbone.bu_conv1.": "neck.downsamples.1.",
    "backbone.C3_n3.": "neck.bottom_up_blocks.0.",
    "backbone.C3_n4.": "neck.bottom_up_blocks.1.",
    "head.stems.": "neck.out_convs.",
    "head.cls_convs.": "bbox_head.multi_level_cls_convs.",
    "head.reg_convs.": "bbox_head.multi_level_reg_convs.",
    "head.cls_preds.": "bbox_head.multi_level_conv_cls.",
    "head.reg_preds.": "bbox_head.multi_level_conv_reg.",
    "head.obj_preds.": "bbox_head.multi_level_conv_obj.",
}
_PLACE = re.compile("|".join(map(re.escape, _PLACES)))
_STAGE = re.compile(r"^backbone\.dark([2-5])\.")
# The convolutions of a cross stage partial block; those of spatial pyramid pooling, in dark5.1, keep their numbers.
_CROSS_STAGE = re.compile(
    r"^(backbone\.stage[1-3]\.1|backbone\.stage4\.2|neck\.(?:top_down|bottom_up)_blocks\.[01])\.conv([123])\."
)
_CROSS_STAGE_PARTS = {"1": "main_conv", "2": "short_conv", "3": "final_conv"}
_WORDS = {".m.": ".blocks.", ".dconv.": ".depthwise_conv.", ".pconv.": ".pointwise_conv."}


def are_megvii_names(names: Iterable[str]) -> bool:
    """Tell whether the layers are named as in Megvii's repository."""
    return any(name.startswith("backbone.backbone.") for name in names)


def mmdet_name(name: str) -> str:
    """Return MMDetection's name of a layer of Megvii's YOLOX; a name of no such layer comes back as it is."""
    place = _PLACE.match(name)
    if place is None:
        return name
    name = _PLACES[place[0]] + name[place.end() :]
    name = _STAGE.sub(lambda stage: f"backbone.stage{int(stage[1]) - 1}.", name)
    name = _CROSS_STAGE.sub(lambda found: f"{found[1]}.{_CROSS_STAGE_PARTS[found[2]]}.", name)
    for theirs, ours in _WORDS.items():
        name = name.replace(theirs, ours)
    return name
