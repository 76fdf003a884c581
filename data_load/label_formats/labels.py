"""What every annotation format is read into before it becomes a COCO document: images as their source names them."""

from dataclasses import dataclass, field
from typing import Any, Literal

from label_formats.tally import Tally

Unit = Literal["pixels", "share"]


@dataclass(frozen=True, slots=True)
class LabelledObject:
    """One object of an image: box is x, y, width, height; polygons are x, y, x, y, ...; all in the image's unit.

    `mask` is an uncompressed COCO run-length code in pixels of the whole image. `attributes` keep what COCO has no
    field for, such as `truncated`.
    """

    label: str
    box: tuple[float, float, float, float]
    polygons: tuple[tuple[float, ...], ...] = ()
    mask: dict[str, Any] | None = None
    crowd: bool = False
    area: float | None = None
    attributes: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class LabelledImage:
    """One image and its objects; sides in pixels where the source states them.

    `name` is the file as the source names it: a name, a path or a URL. `stem` is a path without suffix; where it is
    given the image is looked for by it first. One of both may be empty. `beside` is the file that names the image,
    `place` says more for messages. `unit` tells whether coordinates are pixels or shares of the image's sides (0 to 1).
    """

    name: str
    stem: str = ""
    beside: str = ""
    place: str = ""
    objects: tuple[LabelledObject, ...] = ()
    width: int | None = None
    height: int | None = None
    unit: Unit = "pixels"
    id: int | None = None
    extra: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Labels:
    """What one source holds: its images, the classes it declares in their order, and the tally of its objects."""

    images: tuple[LabelledImage, ...]
    class_names: tuple[str, ...] = ()
    tally: Tally = field(default_factory=Tally)
    licenses: tuple[dict[str, Any], ...] = ()
