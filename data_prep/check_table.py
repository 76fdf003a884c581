"""The named checks of a dataset: what each looks for, and what may be done about it."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, cast

Action = Literal["fix", "drop", "keep", "fail", "leave out"]


@dataclass(frozen=True)
class Check:
    """One named check; of its actions the first is taken unless the parameters name another.

    `fault` says in plain words what a finding is; `fix` and `drop` say what these actions do, where that needs words.
    """

    name: str
    fault: str
    actions: tuple[Action, ...]
    fix: str = ""
    drop: str = ""

    def words(self, action: Action) -> str:
        """Return what was found and what is done about it."""
        done = {"fix": self.fix, "drop": self.drop}.get(action, "")
        return f"{self.fault} {done}".rstrip()


CHECKS = (
    Check("image_id_repeated", "Another image has the same id.", ("drop", "fail"), drop="The first stays."),
    Check(
        "file_name_repeated",
        "Several records name one file.",
        ("fix", "fail"),
        "Their annotations go to the first record.",
    ),
    Check("image_missing", "The image file is not there.", ("drop", "fail")),
    Check("image_unreadable", "The file is empty, cut short, too large or not an image.", ("drop", "fail")),
    Check(
        "image_turned",
        "EXIF rotates the picture by 90 degrees; the record has the size before rotating.",
        ("fix", "drop", "fail"),
        "Boxes and segmentations are rotated with the picture.",
    ),
    Check(
        "image_turn_unclear",
        "EXIF turns or mirrors the picture without changing its size; boxes are taken as drawn on the upright picture.",
        ("keep", "drop", "fail"),
    ),
    Check(
        "image_sides_swapped",
        "The record has width and height the wrong way round.",
        ("fix", "drop", "fail"),
        "The file's are taken; boxes stay.",
    ),
    Check(
        "image_size",
        "Width and height are not those of the file.",
        ("fix", "drop", "fail"),
        "The file's are taken; boxes stay.",
    ),
    Check("image_extension", "The name's ending is not that of the file's format.", ("keep", "drop", "fail")),
    Check(
        "image_format",
        "The service does not read the file's format, or its header.",
        ("fix", "drop", "fail"),
        "The picture is published as PNG.",
    ),
    Check(
        "image_dark",
        "The picture is nearly black, or fills only a part of its 16 bits.",
        ("keep", "drop", "fail"),
    ),
    Check("image_aspect", "One side is over max_aspect_ratio times the other.", ("keep", "drop", "fail")),
    Check(
        "image_repeated",
        "Another file has the same bytes.",
        ("drop", "fix", "fail"),
        "All get one `group`, so that no two splits share them.",
        "The one with most annotations stays.",
    ),
    Check(
        "image_nearly_repeated",
        "Another picture looks almost the same and shows the same objects.",
        ("fix", "drop", "keep", "fail"),
        "All get one `group`, so that no two splits share them.",
        "The one with most annotations stays.",
    ),
    Check(
        "image_same_view",
        "Another picture looks almost the same but shows other objects, as those of a fixed camera do.",
        ("keep", "fix", "drop", "fail"),
        "All get one `group`, so that no two splits share them.",
        "The one with most annotations stays.",
    ),
    Check("file_not_listed", "A file that no image record names; it is not used.", ("keep", "fail")),
    Check("annotation_without_image", "The annotation's image is not in the document.", ("drop", "fail")),
    Check("category_unknown", "The annotation's category is not in the document.", ("drop", "fail")),
    Check("other_class", "The annotation's class is not among the selected `classes`.", ("leave out",)),
    Check(
        "annotation_id",
        "The id is below 1, which pycocotools takes for none, or is given twice.",
        ("fix", "fail"),
        "A new one is given.",
    ),
    Check("box_not_finite", "A coordinate is NaN or infinite.", ("drop", "fail")),
    Check("box_without_size", "Width or height is zero or negative.", ("drop", "fail")),
    Check("box_outside", "The box lies wholly outside its image.", ("drop", "fail")),
    Check(
        "box_over_edge",
        "A coordinate is negative, or the box reaches over another edge of its image.",
        ("fix", "drop", "fail"),
        "The box is clipped.",
    ),
    Check("box_too_small", "Width or height is below min_object_size.", ("drop", "fail")),
    Check("box_aspect", "One side is over max_aspect_ratio times the other.", ("keep", "drop", "fail")),
    Check("box_repeated", "The same box with the same class is given twice on one image.", ("drop", "keep", "fail")),
    Check(
        "segmentation_broken",
        "The segmentation is malformed, or not of the image's size.",
        ("fix", "drop", "fail"),
        "The segmentation is removed, the box stays.",
    ),
    Check(
        "segmentation_over_edge",
        "A point of the segmentation lies more than a pixel outside the image.",
        ("fix", "drop", "fail"),
        "Such points move to the edge.",
    ),
    Check(
        "segmentation_unlike_box",
        "The segmentation's extent and the box share less than half of what they cover together.",
        ("keep", "fix", "drop", "fail"),
        "The segmentation is removed, the box stays.",
    ),
    Check(
        "area",
        "The area is missing or does not fit the box or segmentation.",
        ("fix", "drop", "fail"),
        "It is computed anew.",
    ),
    Check("crowd", "The annotation stands for a crowd, which training ignores.", ("keep", "drop", "fail")),
    Check("crowd_outline", "A crowd has polygons instead of run lengths.", ("keep", "drop", "fail")),
    Check("class_without_objects", "A selected class has no object.", ("keep", "fail")),
    Check(
        "image_without_objects",
        "The image shows no selected class; filter_empty_gt and empty_share say how many stay.",
        ("leave out",),
    ),
)


def choose_actions(chosen: Mapping[str, str]) -> dict[str, Action]:
    """Return the action of every check: the chosen one, or the check's first.

    Raises:
        ValueError: a check is unknown, or does not know the action; lists what there is.
    """
    known = {check.name: check for check in CHECKS if len(check.actions) > 1}
    for name, action in chosen.items():
        if name not in known:
            raise ValueError(f"unknown check {name!r}; there are: {', '.join(known)}")
        if action not in known[name].actions:
            raise ValueError(f"{name!r} cannot be {action!r}; it can be: {', '.join(known[name].actions)}")
    return {check.name: cast(Action, chosen.get(check.name, check.actions[0])) for check in CHECKS}
