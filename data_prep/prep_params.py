"""Parameters of data_prep.ipynb, in the groups that checks, split and conversion take whole."""

from pydantic import Field, field_validator, model_validator

from check_table import choose_actions
from sinara_lib.params import ParamsModel

Window = tuple[int, int, int, int]
"""Left, top, width, height in pixels."""


class Fractions(ParamsModel):
    """Share of the images in each part; they sum to 1."""

    train: float = Field(default=0.7, gt=0, lt=1)
    """What the network learns from."""
    eval: float = Field(default=0.15, gt=0, lt=1)
    """What chooses the best weights."""
    test: float = Field(default=0.15, gt=0, lt=1)
    """What the packed service is scored on."""

    @model_validator(mode="after")
    def _sum_to_one(self) -> "Fractions":
        total = self.train + self.eval + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, eval and test must sum to 1, they sum to {total:g}")
        return self


class Tiles(ParamsModel):
    """Windows that larger images are cut into; width, height and overlap in pixels."""

    width: int = Field(ge=32)
    """Pixels."""
    height: int = Field(ge=32)
    """Pixels."""
    overlap: int = Field(default=0, ge=0)
    """Pixels that neighbours share; the last of a row or column ends at the image's edge."""

    @model_validator(mode="after")
    def _move_on(self) -> "Tiles":
        if self.overlap >= min(self.width, self.height):
            raise ValueError(f"overlap must be smaller than width and height, found {self.overlap}")
        return self

    def windows(self, width: int, height: int) -> list[Window]:
        """Return windows that cover an image, row by row; the last of a row or column ends at the edge."""
        return [
            (left, top, min(self.width, width), min(self.height, height))
            for top in _starts(height, self.height, self.overlap)
            for left in _starts(width, self.width, self.overlap)
        ]


class Augment(ParamsModel):
    """Changed copies of each training image; every strength is the most that a copy is changed by."""

    copies: int = Field(default=1, ge=1, le=20)
    """Of each image."""
    rotate: float = Field(default=0.0, ge=0, le=180)
    """Degrees, to either side."""
    scale: float = Field(default=0.0, ge=0, lt=1)
    """0.2 draws factors from 0.8 to 1.2."""
    flip: bool = False
    """Mirror half of the copies left to right."""
    colour: float = Field(default=0.0, ge=0, lt=1)
    """0.2 draws factors of brightness, contrast and saturation from 0.8 to 1.2."""

    @model_validator(mode="after")
    def _change_something(self) -> "Augment":
        if not (self.rotate or self.scale or self.flip or self.colour):
            raise ValueError("nothing would change: set rotate, scale, flip or colour, or augment to null")
        return self


class _Seed(ParamsModel):
    seed: int = 1
    """Another number gives another split and other copies; the same number and data give the same ones."""


class _ObjectSize(ParamsModel):
    min_object_size: float = Field(default=1.0, ge=0)
    """Objects narrower or lower than this many pixels are dropped."""


class _EmptyImages(ParamsModel):
    filter_empty_gt: bool = True
    """Drop images that show none of the classes, except for a share."""
    empty_share: float = Field(default=0.1, ge=0)
    """Images without objects that stay, as a share of the images with objects; 1.0 balances: as many without as with,
    where there are so many. Tiles are counted anew."""


class Rule(_ObjectSize):
    """What stays of an object that is not wholly in the picture any more.

    It stays when at least `min_visible` of its box does and the rest is no narrower or lower than `min_object_size`
    pixels. Crowds stay however little is seen of them: they say where not to count.
    """

    min_visible: float = Field(default=0.3, ge=0, le=1)
    """Of a box that a tile or a copy cuts, this share must be left, else the object is dropped there and counted;
    crowds always stay."""


class CheckOptions(_ObjectSize, _EmptyImages, _Seed):
    """What to keep, and what to do with what the checks find; the seed chooses which images without objects stay."""

    classes: list[str] | dict[str, list[str]] = Field(default_factory=list)
    """Classes to keep, in the order of their new ids 1..K: names, or each new name with those it is made of,
    `{"vehicle": ["car", "bus"], "person": ["person"]}`; empty keeps all."""
    max_aspect_ratio: float = Field(default=50.0, ge=1)
    """Images and boxes of which one side is more than this many times the other are found odd."""
    checks: dict[str, str] = Field(default_factory=dict)
    """What to do with the finds of a check, such as `{"box_over_edge": "drop", "image_unreadable": "fail"}`; the table
    in README names checks and actions."""

    @field_validator("checks")
    @classmethod
    def _known_checks(cls, checks: dict[str, str]) -> dict[str, str]:
        choose_actions(checks)
        return checks


class SplitOptions(_Seed):
    """By what is split, and whether an earlier split is kept to."""

    fractions: Fractions = Fractions()
    """Share of the images in each part; they sum to 1."""
    keep_split: bool = True
    """Leave images where the newest run with the same fractions and seed put them, and split only new ones."""
    time_stretch: int | None = Field(default=None, ge=1)
    """Cut each group, such as the frames of a video, and images whose names differ in their numbers alone, into
    stretches of so many successive images; a stretch never parts, and lies in one part of the split. `null`: a group
    never parts."""


class ConvertOptions(Rule, _EmptyImages, _Seed):
    """How images are changed before they are published; null leaves that change out."""

    longest_side: int | None = Field(default=None, ge=32)
    """Pixels; images with a longer side are made smaller, to this."""
    tiles: Tiles | None = None
    """`{"width": 640, "height": 640, "overlap": 64}`, in pixels: larger images are cut into such windows, after
    `longest_side`; the last of a row or column ends at the edge."""
    augment: Augment | None = None
    """Changed copies of the training images; at least one of its strengths must change something. The same seed and
    file name give the same copies."""


class PrepParams(ConvertOptions, CheckOptions, SplitOptions):
    """What data_prep can be told; handed on whole to checks, split and conversion."""

    gallery_images: int = Field(default=6, ge=1, le=24)
    """Examples drawn of each class in the report."""


def _starts(length: int, window: int, overlap: int) -> list[int]:
    if length <= window:
        return [0]
    return [*range(0, length - window, window - overlap), length - window]


NOTEBOOKS = {"data_prep.ipynb": PrepParams}
