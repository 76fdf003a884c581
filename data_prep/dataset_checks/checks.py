"""All checks of a dataset in their order; the result is what training can trust, and a table of what was done."""

from dataclasses import dataclass, replace

from dataset_checks.boxes import check_annotation_ids, check_boxes, check_references
from dataset_checks.classes import Classes, class_sources, map_classes
from dataset_checks.duplicates import check_copies
from dataset_checks.findings import Done, Finding, Ledger
from dataset_checks.images import check_image_files, check_image_records
from dataset_split import hash_order
from prep_params import CheckOptions
from sinara_lib.archive import Readable
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset, select_images


@dataclass(frozen=True)
class CheckedDataset:
    """The cleaned dataset of the selected classes, and the findings of every check."""

    dataset: CocoDataset
    findings: tuple[Finding, ...]
    as_png: frozenset[str] = frozenset()
    """Files that the service does not read as they are, to be published as PNG."""

    def count(self, done: Done) -> int:
        """Return how many finds were fixed, dropped, kept or left out."""
        return sum(finding.count for finding in self.findings if finding.done == done)

    def repairs(self) -> dict[str, int]:
        """Return how often each check fixed or dropped something, such as `fixed_area`, where it found something."""
        return {
            f"{one.done}_{one.check.name}": one.count
            for one in self.findings
            if one.count and one.done in ("fixed", "dropped")
        }

    def stop_where_asked(self) -> None:
        """Raise DataError when a check that is set to `fail` found something."""
        if failed := [one for one in self.findings if one.count and one.action == "fail"]:
            told = "; ".join(f"{one.check.name} {one.count:,} ({one.examples[0].text})" for one in failed)
            raise DataError(f"Found by checks that are set to `fail`: {told}. Mend the data, or change `checks`.")


def check_dataset(dataset: CocoDataset, images: Readable, *, options: CheckOptions) -> CheckedDataset:
    """Check and repair a dataset; neither the given value nor the files in `images` are changed.

    Raises:
        DataError: a class is unknown, no image can be used, or no selected class has an object.

    >>> checked = check_dataset(dataset, images, options=CheckOptions(classes=["car"]))
    >>> [(one.check.name, one.done, one.count) for one in checked.findings if one.count]
    [('image_size', 'fixed', 1)]
    """
    ledger = Ledger(options.checks)
    checked = check_references(check_image_records(dataset, ledger), ledger)
    checked = _select(checked, options.classes, ledger)
    fitting = check_image_files(checked, images, ledger, max_aspect_ratio=options.max_aspect_ratio)
    _refuse_nothing(fitting.dataset, ledger)
    checked = check_annotation_ids(check_copies(fitting.dataset, fitting.pictures, ledger), ledger)
    checked = check_boxes(
        checked, ledger, min_object_size=options.min_object_size, max_aspect_ratio=options.max_aspect_ratio
    )
    _check_classes(checked, ledger)
    checked = _check_empty_images(checked, options, ledger)
    unserved = frozenset(one.file_name for one in checked.images if fitting.pictures[one.file_name].unserved)
    return CheckedDataset(checked, ledger.findings(), unserved)


def _select(dataset: CocoDataset, classes: Classes, ledger: Ledger) -> CocoDataset:
    selected = map_classes(dataset, classes)
    names = dict(zip(dataset.category_ids, dataset.class_names, strict=True))
    kept = {name for old in class_sources(classes, dataset.class_names).values() for name in old}
    for one in dataset.annotations:
        if names[one.category_id] not in kept:
            ledger.note("other_class", f"annotation {one.id}: {names[one.category_id]}")
    return selected


def _refuse_nothing(dataset: CocoDataset, ledger: Ledger) -> None:
    if not dataset.images:
        found = [f"{one.check.name} {one.count}" for one in ledger.findings() if one.count]
        raise DataError(f"No usable image: {', '.join(found) or 'the document lists none'}.")


def _check_classes(dataset: CocoDataset, ledger: Ledger) -> None:
    present = {one.category_id for one in dataset.annotations}
    if not present:
        raise DataError(f"No object of the selected classes is left: {', '.join(dataset.class_names)}.")
    for category_id, name in zip(dataset.category_ids, dataset.class_names, strict=True):
        if category_id not in present:
            ledger.note("class_without_objects", name)


def _check_empty_images(dataset: CocoDataset, options: CheckOptions, ledger: Ledger) -> CocoDataset:
    empty = [image for image in dataset.images if not dataset.annotations_of(image.id)]
    if not options.filter_empty_gt or not empty:
        return dataset
    stay = round(options.empty_share * (len(dataset.images) - len(empty)))
    dropped = sorted(empty, key=lambda image: hash_order(image.file_name, options.seed))[stay:]
    for image in dropped:
        ledger.note("image_without_objects", image.file_name, file_name=image.file_name)
    gone = {image.id for image in dropped}
    kept = select_images(dataset, [image.id for image in dataset.images if image.id not in gone])
    return replace(kept, annotations=dataset.annotations)
