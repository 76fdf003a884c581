"""What the checks of a dataset look for, what they found, and what was done about it."""

from dataclasses import dataclass
from typing import Literal

EXAMPLES = 3

Box = tuple[float, float, float, float]
Action = Literal["fixed", "dropped", "left out", "reported"]


@dataclass(frozen=True)
class Check:
    """One named check; the meaning says in plain words what a finding is and what is done."""

    name: str
    action: Action
    meaning: str


@dataclass(frozen=True)
class Example:
    """One case: file and box (x, y, width, height in pixels, as the document had it) where there are such."""

    text: str
    file_name: str | None = None
    box: Box | None = None


@dataclass(frozen=True)
class Finding:
    """How often a check found something, with up to three examples."""

    check: Check
    count: int
    examples: tuple[Example, ...]


CHECKS = (
    Check("image_id_repeated", "dropped", "Another image has the same id; the first stays."),
    Check("file_name_repeated", "fixed", "Several records name one file; their annotations go to the first."),
    Check("image_missing", "dropped", "The image file is not there."),
    Check("image_unreadable", "dropped", "The image file is empty, cut short or not an image."),
    Check("image_turned", "dropped", "The file's EXIF turns the picture; the boxes were drawn before turning."),
    Check("image_size", "fixed", "Width and height are not those of the file; the file's are taken."),
    Check("file_not_listed", "reported", "A file that no image record names; it is not used."),
    Check("annotation_without_image", "dropped", "The annotation's image is not in the document."),
    Check("category_unknown", "dropped", "The annotation's category is not in the document."),
    Check("other_class", "left out", "The annotation's class is not among the selected ones."),
    Check("annotation_id", "fixed", "The id is below 1 or given twice; a new one is given."),
    Check("box_not_finite", "dropped", "A coordinate is NaN or infinite."),
    Check("box_without_size", "dropped", "Width or height is zero or negative."),
    Check("box_outside", "dropped", "The box lies wholly outside its image."),
    Check("box_over_edge", "fixed", "The box reaches over the edge of its image; it is clipped."),
    Check("box_too_small", "dropped", "Width or height is below min_object_size."),
    Check("box_repeated", "dropped", "The same box with the same class is given twice on one image."),
    Check("segmentation_broken", "fixed", "The outline is malformed; it is removed, the box stays."),
    Check("area", "fixed", "The area is missing or does not fit the box or outline; it is computed anew."),
    Check("crowd", "reported", "The annotation stands for a crowd; it is kept as such."),
    Check("class_without_objects", "reported", "A selected class has no object."),
    Check("image_without_objects", "left out", "The image shows no selected class; a share of these is kept."),
)


class Ledger:
    """Counts what the checks find and keeps the first examples of each."""

    def __init__(self) -> None:
        self._counts = dict.fromkeys((check.name for check in CHECKS), 0)
        self._examples: dict[str, list[Example]] = {check.name: [] for check in CHECKS}

    def note(self, name: str, text: str, *, file_name: str | None = None, box: Box | None = None) -> None:
        """Record one case of a check."""
        self._counts[name] += 1
        if len(self._examples[name]) < EXAMPLES:
            self._examples[name].append(Example(text, file_name, box))

    def findings(self) -> tuple[Finding, ...]:
        """Every check in its order, also those that found nothing."""
        return tuple(Finding(one, self._counts[one.name], tuple(self._examples[one.name])) for one in CHECKS)
