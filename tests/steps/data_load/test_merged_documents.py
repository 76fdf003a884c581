"""Merging mixes nothing up: classes meet by name, numbers never clash, faults stay as they were."""

from hypothesis import given, settings
from hypothesis import strategies as st

from merged_documents import LoadedDocument, clashing_names, merge
from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage

IDS = st.integers(-2, 6)


@st.composite
def documents(draw: st.DrawFn) -> CocoDataset:
    """Small documents, with images given twice and annotations of images and classes that are not listed."""
    categories = draw(st.dictionaries(IDS, st.sampled_from(["cat", "dog", "cow"]), max_size=3))
    by_name = {name: number for number, name in categories.items()}
    return CocoDataset(
        tuple(CocoImage(draw(IDS), f"{name}.jpg", 8, 8) for name in draw(st.lists(st.sampled_from("abA"), max_size=3))),
        tuple(CocoAnnotation(number, draw(IDS), draw(IDS), (0, 0, 1, 1)) for number in draw(st.lists(IDS, max_size=4))),
        tuple(CocoCategory(number, name) for name, number in by_name.items()),
    )


def facts(dataset: CocoDataset) -> list[tuple[frozenset[str], str | None]]:
    """For each annotation the files of its image, and its class."""
    names = {one.id: one.name for one in dataset.categories}
    return [
        (frozenset(image.file_name for image in dataset.images if image.id == one.image_id), names.get(one.category_id))
        for one in dataset.annotations
    ]


@settings(max_examples=150, deadline=None)
@given(st.lists(documents(), min_size=2, max_size=3))
def test_every_annotation_keeps_its_image_and_class(datasets: list[CocoDataset]) -> None:
    names = clashing_names(
        [(f"s{place}", [one.file_name for one in each.images]) for place, each in enumerate(datasets)]
    )
    merged = merge([LoadedDocument(one, f"source {place}") for place, one in enumerate(datasets)], names)

    expected = [
        (frozenset(renamed.get(name, name) for name in files), label)
        for dataset, renamed in zip(datasets, names, strict=True)
        for files, label in facts(dataset)
    ]
    assert facts(merged) == expected
    assert len({one.name for one in merged.categories}) == len({one.id for one in merged.categories})
    assert {one.name for one in merged.categories} == {one.name for each in datasets for one in each.categories}
    owners = [
        {one.file_name.casefold() for one in merged.images if one.extra["source"] == f"source {place}"}
        for place in range(len(datasets))
    ]
    assert sum(map(len, owners)) == len(set().union(*owners))


def test_the_first_document_keeps_its_numbers_and_licences_are_merged() -> None:
    by, own = {"id": 4, "name": "CC BY", "url": "u"}, {"id": 1, "name": "Own", "url": ""}
    first = CocoDataset((CocoImage(7, "1.jpg", 8, 8, {"license": 4}),), (), (CocoCategory(3, "cat"),), {}, (by,))
    second = CocoDataset(
        (CocoImage(7, "1.jpg", 8, 8, {"license": 4}), CocoImage(8, "2.jpg", 8, 8, {"license": 1})),
        (CocoAnnotation(1, 8, 3, (0, 0, 1, 1)),),
        (CocoCategory(3, "dog"), CocoCategory(5, "cat")),
        {},
        (own, by),
    )
    names = clashing_names([("a", ["1.jpg"]), ("b", ["1.jpg", "2.jpg"])])
    merged = merge([LoadedDocument(first, "a.zip"), LoadedDocument(second, "b.zip")], names)

    assert [(one.id, one.file_name, one.extra) for one in merged.images] == [
        (7, "a__1.jpg", {"source": "a.zip", "license": 1}),
        (8, "b__1.jpg", {"source": "b.zip", "license": 1}),
        (9, "2.jpg", {"source": "b.zip", "license": 2}),
    ]
    assert [(one.id, one.name) for one in merged.categories] == [(3, "cat"), (6, "dog")]
    assert [(one["id"], one["name"]) for one in merged.licenses] == [(1, "CC BY"), (2, "Own")]
    assert [(one.image_id, one.category_id) for one in merged.annotations] == [(9, 6)]
