"""Parameters of data_prep.ipynb."""

from pydantic import Field, field_validator, model_validator

from dataset_checks.checks import CheckOptions
from dataset_checks.findings import choose_actions
from dataset_conversion.augment import Augment
from dataset_conversion.conversion import Tiles
from dataset_conversion.geometry import Rule
from dataset_conversion.parts import ConvertOptions
from sinara_lib.params import ParamsModel
from split_memory import SplitOptions


class Fractions(ParamsModel):
    """Share of the images in each part; they sum to 1."""

    train: float = Field(default=0.7, gt=0, lt=1)
    eval: float = Field(default=0.15, gt=0, lt=1)
    test: float = Field(default=0.15, gt=0, lt=1)

    @model_validator(mode="after")
    def _sum_to_one(self) -> "Fractions":
        total = self.train + self.eval + self.test
        if abs(total - 1) > 1e-6:
            raise ValueError(f"train, eval and test must sum to 1, they sum to {total:g}")
        return self


class PrepParams(ParamsModel):
    """What to keep of a dataset and how to split it."""

    classes: list[str] | dict[str, list[str]] = Field(default_factory=list)
    """Classes to keep, in the order of their new ids 1..K: names, or each new name with the names it is made of; an
    empty list keeps all."""
    fractions: Fractions = Fractions()
    seed: int = 1
    keep_split: bool = True
    """Leave images where the newest run with the same fractions and seed put them, and split only new ones."""
    time_stretch: int | None = Field(default=None, ge=1)
    """Cut each group, such as the frames of a video, and images whose names differ in their numbers alone, into
    stretches of so many successive images; a stretch never parts. Null: a group never parts."""
    min_object_size: float = Field(default=1.0, ge=0)
    """Objects narrower or lower than this many pixels are dropped."""
    filter_empty_gt: bool = True
    """Drop images that show none of the classes, except for the share below."""
    empty_share: float = Field(default=0.1, ge=0)
    """Images without objects that stay, as a share of the images with objects."""
    max_aspect_ratio: float = Field(default=50.0, ge=1)
    """Images and boxes of which one side is more than this many times the other are found odd."""
    checks: dict[str, str] = Field(default_factory=dict)
    """What to do with the finds of a check, by its name: `fix`, `drop`, `keep` or `fail`."""
    longest_side: int | None = Field(default=None, ge=32)
    """Larger images are made smaller, to this many pixels on their longer side."""
    tiles: Tiles | None = None
    """Windows that larger images are cut into, after `longest_side`."""
    min_visible: float = Field(default=0.3, ge=0, le=1)
    """Of a box that tiles or copies cut, this share must be left; else the object is dropped there."""
    augment: Augment | None = None
    """Changed copies of the training images."""
    gallery_images: int = Field(default=6, ge=1, le=24)
    """Examples drawn of each class in the report."""

    @field_validator("checks")
    @classmethod
    def _known_checks(cls, checks: dict[str, str]) -> dict[str, str]:
        choose_actions(checks)
        return checks

    @property
    def check_options(self) -> CheckOptions:
        """What the checks need to know."""
        return CheckOptions(
            classes=self.classes,
            min_object_size=self.min_object_size,
            filter_empty_gt=self.filter_empty_gt,
            empty_share=self.empty_share,
            seed=self.seed,
            max_aspect_ratio=self.max_aspect_ratio,
            actions=self.checks,
        )

    @property
    def split_options(self) -> SplitOptions:
        """By what is split."""
        return SplitOptions(self.fractions.model_dump(), self.seed, self.keep_split, self.time_stretch)

    @property
    def convert_options(self) -> ConvertOptions:
        """How images are changed before they are published."""
        return ConvertOptions(
            longest_side=self.longest_side,
            tiles=self.tiles,
            augment=self.augment,
            rule=Rule(min_visible=self.min_visible, min_size=self.min_object_size),
            empty_share=self.empty_share if self.filter_empty_gt else None,
            seed=self.seed,
        )
