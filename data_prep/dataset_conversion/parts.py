"""The parts of a split as they are published: converted, with copies for training; from the archive to archives."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from dataset_conversion.conversion import Conversion, Counts, add_copies, convert_images, limit_empty_tiles
from dataset_conversion.rendering import write_pictures
from dataset_split import Splits
from prep_params import ConvertOptions
from sinara_lib.archive import ArchiveReader
from sinara_lib.store.manifest import Manifest
from sinara_lib.vision.coco import CocoDataset
from sinara_lib.vision.coco_archive import IMAGES, publish_split


@dataclass(frozen=True)
class SplitPart:
    """One part: what is published, the archive its unchanged files come from, and the folder of the changed ones."""

    name: str
    conversion: Conversion
    files: ArchiveReader
    folder: Path

    @property
    def dataset(self) -> CocoDataset:
        """The document that is published."""
        return self.conversion.dataset

    def read(self, file_name: str) -> bytes:
        """Return the bytes of a published image."""
        if file_name in self.conversion.recipes:
            return (self.folder / IMAGES / file_name).read_bytes()
        return self.files.read(file_name)

    def publish(self, url: str) -> Manifest:
        """Publish the part as an archive; unchanged files go from archive to archive, byte for byte."""
        changed = self.conversion.recipes
        copied = {image.file_name for image in self.dataset.images if image.file_name not in changed}
        return publish_split(self.dataset, url, folder=self.folder, source=self.files, copied=copied)


def make_parts(
    splits: Splits,
    files: ArchiveReader,
    folder: Path,
    *,
    options: ConvertOptions,
    as_png: Collection[str] = frozenset(),
) -> dict[str, SplitPart]:
    """Convert each part as asked for, training with its copies, and write the pictures that change below `folder`.

    `as_png` names files that are published as PNG in any case.
    """
    parts = {}
    for name, dataset in splits.items():
        conversion = convert_images(
            dataset, longest_side=options.longest_side, tiles=options.tiles, rule=options, as_png=as_png
        )
        if options.filter_empty_gt:
            conversion = limit_empty_tiles(conversion, empty_share=options.empty_share, seed=options.seed)
        if options.augment and name == "train":
            conversion = add_copies(conversion, options.augment, rule=options, seed=options.seed)
        parts[name] = SplitPart(name, conversion, files, folder / name)
        write_pictures(conversion.recipes, files, folder / name / IMAGES)
    return parts


def published(parts: Mapping[str, SplitPart]) -> Splits:
    """Return the documents of the parts."""
    return Splits(**{name: part.dataset for name, part in parts.items()})


def conversion_counts(parts: Mapping[str, SplitPart]) -> Counts:
    """Return what happened to objects in all parts."""
    return sum((part.conversion.counts for part in parts.values()), Counts())
