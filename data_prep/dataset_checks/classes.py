"""The classes that are kept, from one readable mapping: selected, renamed, merged and renumbered."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace

from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoCategory, CocoDataset

Classes = Sequence[str] | Mapping[str, Sequence[str]]
"""Names to keep as they are, or each new name with the names it is made of; their order gives the ids 1..K."""


def class_sources(classes: Classes, there: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Return each new class with the classes of the source that it is made of; no class asked for keeps all of `there`.

    Raises:
        DataError: a name is given twice, a new class is made of nothing, or the source lacks a name; lists what
            there is.
    """
    if isinstance(classes, Mapping):
        sources = {new: tuple(old) for new, old in classes.items()}
    else:
        names = list(classes or there)
        sources = {name: (name,) for name in names}
        _refuse_repeats(names)
    _refuse_repeats([name for old in sources.values() for name in old])
    if nothing := [new for new, old in sources.items() if not old]:
        raise DataError(f"Classes made of nothing: {', '.join(nothing)}. Name the source's classes they are made of.")
    known = frozenset(there)
    if unknown := [name for old in sources.values() for name in old if name not in known]:
        raise DataError(f"Unknown classes {unknown}. The dataset has: {', '.join(there) or 'none'}.")
    return sources


def map_classes(dataset: CocoDataset, classes: Classes) -> CocoDataset:
    """Keep, rename and merge classes, numbered 1..K in the order asked for; every image stays.

    A class that keeps its name keeps its other fields; a new name has those of the first class it is made of.

    Raises:
        DataError: as `class_sources` does.
    """
    by_name = {category.name: category for category in dataset.categories}
    new_ids: dict[int, int] = {}
    categories: list[CocoCategory] = []
    for number, (new, old) in enumerate(class_sources(classes, dataset.class_names).items(), start=1):
        new_ids.update((by_name[name].id, number) for name in old)
        categories.append(replace(by_name[new if new in old else old[0]], id=number, name=new))
    annotations = (
        replace(one, category_id=new_ids[one.category_id]) for one in dataset.annotations if one.category_id in new_ids
    )
    return replace(dataset, annotations=tuple(annotations), categories=tuple(categories))


def _refuse_repeats(names: Sequence[str]) -> None:
    if twice := sorted(name for name, count in Counter(names).items() if count > 1):
        raise DataError(f"Each class may be asked for once; more than once: {', '.join(twice)}.")
