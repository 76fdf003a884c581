"""Several COCO documents as one: classes merged by name, numbers shifted so that none is taken twice."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import PurePosixPath
from typing import Any

from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage


@dataclass(frozen=True)
class LoadedDocument:
    """One document, and the URL its images came from."""

    dataset: CocoDataset
    source: str


def merge(
    parts: Sequence[LoadedDocument], new_names: Sequence[Mapping[str, str]], *, mark_images: bool = True
) -> CocoDataset:
    """Return one document of all parts; `new_names` are the file names of each part that changed.

    Each image keeps its part's source, where `mark_images` says so. Numbers of the first part stay. What is wrong
    within a part (a number given twice, an annotation without image) stays as it is, so that data_prep reports it, and
    is never mixed up with another part.
    """
    datasets = [part.dataset for part in parts]
    categories, category_ids = _merge_categories(datasets)
    licenses, license_ids = _merge_licenses(datasets)
    images: list[CocoImage] = []
    annotations: list[CocoAnnotation] = []
    next_image = next_annotation = 0
    for part, names, categories_here, licenses_here in zip(parts, new_names, category_ids, license_ids, strict=True):
        numbers = [one.id for one in part.dataset.images] + [one.image_id for one in part.dataset.annotations]
        image_shift = _shift(numbers, next_image)
        annotation_shift = _shift([one.id for one in part.dataset.annotations], next_annotation)
        images += [
            _image(one, part.source if mark_images else None, image_shift, names, licenses_here)
            for one in part.dataset.images
        ]
        annotations += [
            _annotation(one, annotation_shift, image_shift, categories_here) for one in part.dataset.annotations
        ]
        next_image = max([next_image, *(number + image_shift + 1 for number in numbers)])
        next_annotation = max([next_annotation, *(one.id + 1 for one in annotations)])
    info = {
        "description": f"Merged from {len(parts)} sources",
        "sources": [{"source": part.source, "info": part.dataset.info} for part in parts],
    }
    return CocoDataset(tuple(images), tuple(annotations), categories, info, licenses)


def clashing_names(parts: Sequence[tuple[str, Sequence[str]]]) -> list[dict[str, str]]:
    """Name the files of each part anew, given as prefix and names, that another part has too, in any case."""
    owners: dict[str, set[int]] = {}
    for place, (_, names) in enumerate(parts):
        for name in names:
            owners.setdefault(name.casefold(), set()).add(place)
    taken = set(owners)
    found: list[dict[str, str]] = []
    for prefix, names in parts:
        renamed: dict[str, str] = {}
        for name in dict.fromkeys(names):
            if len(owners[name.casefold()]) > 1:
                new, number = f"{prefix}__{name}", 1
                while new.casefold() in taken:
                    number += 1
                    new = f"{prefix}__{PurePosixPath(name).stem}__{number}{PurePosixPath(name).suffix}"
                taken.add(new.casefold())
                renamed[name] = new
        found.append(renamed)
    return found


def _shift(numbers: Sequence[int], first: int) -> int:
    """Return what to add so that the lowest number is at least `first`; nothing where it is."""
    return max(0, first - min(numbers)) if numbers else 0


def _merge_categories(datasets: Sequence[CocoDataset]) -> tuple[tuple[CocoCategory, ...], list[dict[int, int]]]:
    """Return all classes, each name once, and for each document its old numbers with the new ones.

    A number that names no class in its own document gets one that names none in the merged one.
    """
    merged: dict[str, CocoCategory] = {}
    taken = {one.id for dataset in datasets for one in dataset.categories}
    taken |= {one.category_id for dataset in datasets for one in dataset.annotations}
    free = max(taken, default=0) + 1
    used: set[int] = set()
    mappings: list[dict[int, int]] = []
    for dataset in datasets:
        mapping: dict[int, int] = {}
        for one in dataset.categories:
            if one.name not in merged:
                number = one.id if one.id not in used else free
                free += number == free
                used.add(number)
                merged[one.name] = replace(one, id=number)
            mapping[one.id] = merged[one.name].id
        mappings.append(mapping)
    for dataset, mapping in zip(datasets, mappings, strict=True):
        for stray in sorted({one.category_id for one in dataset.annotations} - mapping.keys()):
            if stray in used:
                mapping[stray] = free
                free += 1
    return tuple(merged.values()), mappings


def _merge_licenses(
    datasets: Sequence[CocoDataset],
) -> tuple[tuple[dict[str, Any], ...], list[dict[object, int]]]:
    """Return all licences, each name and URL once, numbered from 1, and the new number of each old one."""
    merged: dict[tuple[str, str], dict[str, Any]] = {}
    mappings: list[dict[object, int]] = []
    for dataset in datasets:
        mapping: dict[object, int] = {}
        for one in dataset.licenses:
            key = (str(one.get("name")), str(one.get("url")))
            kept = merged.setdefault(key, {**one, "id": len(merged) + 1})
            if isinstance(one.get("id"), int | str):
                mapping[one["id"]] = kept["id"]
        mappings.append(mapping)
    return tuple(merged.values()), mappings


def _image(
    one: CocoImage, source: str | None, shift: int, names: Mapping[str, str], license_ids: Mapping[object, int]
) -> CocoImage:
    extra = {**({} if source is None else {"source": source}), **one.extra}
    number = one.extra.get("license")
    if isinstance(number, int | str) and number in license_ids:
        extra["license"] = license_ids[number]
    return replace(one, id=one.id + shift, file_name=names.get(one.file_name, one.file_name), extra=extra)


def _annotation(one: CocoAnnotation, shift: int, image_shift: int, category_ids: Mapping[int, int]) -> CocoAnnotation:
    category_id = category_ids.get(one.category_id, one.category_id)
    return replace(one, id=one.id + shift, image_id=one.image_id + image_shift, category_id=category_id)
