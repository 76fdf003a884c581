"""Parameters of data_prep.ipynb, and the folders it publishes."""

import os
import shutil
from pathlib import Path

from dataset_checks import CheckOptions
from pydantic import Field, model_validator

from sinara_lib.params import ParamsModel
from sinara_lib.progress import progress
from sinara_lib.vision.coco import CocoDataset, save_coco


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
    min_object_size: float = Field(default=1.0, ge=0)
    """Objects narrower or lower than this many pixels are dropped."""
    filter_empty_gt: bool = True
    """Drop images that show none of the classes, except for the share below."""
    empty_share: float = Field(default=0.1, ge=0)
    """Images without objects that stay, as a share of the images with objects."""
    gallery_images: int = Field(default=6, ge=1, le=24)
    """Examples drawn of each class in the report."""

    @property
    def check_options(self) -> CheckOptions:
        """What the checks need to know."""
        return CheckOptions(
            classes=self.classes,
            min_object_size=self.min_object_size,
            filter_empty_gt=self.filter_empty_gt,
            empty_share=self.empty_share,
            seed=self.seed,
        )


def write_dataset(dataset: CocoDataset, folder: Path, *, images: Path) -> None:
    """Write `annotations.json` and `images/` of one part into an empty folder.

    Image files are linked (copied where the filesystem cannot) and keep their times; the document takes the time of
    the newest image. So the same data gives the same archive, whenever it is made.
    """
    folder.mkdir(parents=True, exist_ok=True)
    newest = 0
    for image in progress(dataset.images, label=f"write {folder.name}", unit="image"):
        source, target = images / image.file_name, folder / "images" / image.file_name
        target.parent.mkdir(parents=True, exist_ok=True)
        _link(source, target)
        newest = max(newest, source.stat().st_mtime_ns)
    document = folder / "annotations.json"
    save_coco(dataset, document)
    os.utime(document, ns=(newest, newest))


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
