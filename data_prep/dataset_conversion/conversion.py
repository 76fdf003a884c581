"""Which pictures are published in place of the source's: made smaller, cut into tiles; and the boxes in them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath

from dataset_conversion.augment import Change, change_move, draw_change
from dataset_conversion.geometry import Affine, moved, scaling, shifting
from dataset_split import hash_order
from prep_params import Augment, Rule, Tiles, Window
from sinara_lib.vision.coco import CocoAnnotation, CocoDataset, CocoImage, select_images

_KEPT_FORMATS = {".jpg", ".jpeg", ".png"}


@dataclass(frozen=True)
class ImageRecipe:
    """How a picture is made of a source file: brought to a size (width, height), cut out, then changed."""

    source: str
    size: tuple[int, int]
    window: Window | None = None
    change: Change | None = None


@dataclass(frozen=True)
class Counts:
    """What happened to objects: boxes cut at an edge and kept, pieces dropped, objects of which no piece is left."""

    cut: int = 0
    dropped: int = 0
    lost: int = 0
    empty_dropped: int = 0
    """Pictures without objects that were left out."""

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__))


@dataclass(frozen=True)
class Conversion:
    """A dataset whose images are files of the source, except for those that have a recipe."""

    dataset: CocoDataset
    recipes: Mapping[str, ImageRecipe] = field(default_factory=dict)
    counts: Counts = Counts()


@dataclass(frozen=True)
class ConvertedImage:
    """One published picture: its record, how it is made, and how points of the source come to lie in it."""

    image: CocoImage
    recipe: ImageRecipe
    move: Affine


def convert_images(
    dataset: CocoDataset,
    *,
    longest_side: int | None,
    tiles: Tiles | None,
    rule: Rule,
    as_png: Collection[str] = frozenset(),
) -> Conversion:
    """Make images smaller whose longer side exceeds `longest_side` pixels, then cut larger ones into tiles.

    Files named in `as_png` become PNG where nothing else changes them: later steps do not read them as they are.
    Tiles carry the field `group`, so that nothing downstream parts them, and `tile` (of, left, top). Images that fit
    stay as they are, byte for byte. Annotations of changed images get new ids.
    """
    names = {image.file_name for image in dataset.images}
    result = _Gathering(Conversion(dataset))
    for image in dataset.images:
        objects = dataset.annotations_of(image.id)
        pictures = list(_pictures(image, longest_side, tiles, names, as_png))
        if not pictures:
            result.keep(image, objects)
            continue
        found, counts = _follow(objects, pictures, rule)
        result.counts += counts
        for picture, pieces in zip(pictures, found, strict=True):
            result.add(picture.image, pieces, picture.recipe)
    return result.conversion()


def limit_empty_tiles(conversion: Conversion, *, empty_share: float, seed: int) -> Conversion:
    """Leave out tiles without objects beyond `empty_share` times the number of images with objects."""
    dataset = conversion.dataset
    empty = [image for image in dataset.images if not dataset.annotations_of(image.id)]
    stay = round(empty_share * (len(dataset.images) - len(empty)))
    ranked = sorted(empty, key=lambda image: hash_order(image.file_name, seed))
    gone = {image.id for image in ranked[stay:] if "tile" in image.extra}
    kept = select_images(dataset, [image.id for image in dataset.images if image.id not in gone])
    names = {image.file_name for image in kept.images}
    recipes = {name: recipe for name, recipe in conversion.recipes.items() if name in names}
    return Conversion(kept, recipes, conversion.counts + Counts(empty_dropped=len(gone)))


def add_copies(conversion: Conversion, augment: Augment, *, rule: Rule, seed: int) -> Conversion:
    """Add changed copies of every image, with the image's name in `augmented`; both carry the same `group`."""
    dataset = conversion.dataset
    names = {image.file_name for image in dataset.images}
    result = _Gathering(conversion)
    for image in dataset.images:
        objects, size = dataset.annotations_of(image.id), (image.width, image.height)
        origin = {"group": image.extra.get("group", image.file_name)}
        result.keep(replace(image, extra=image.extra | origin), objects)
        recipe = conversion.recipes.get(image.file_name, ImageRecipe(image.file_name, size))
        for copy in range(1, augment.copies + 1):
            change = draw_change(augment, file_name=image.file_name, copy=copy, seed=seed)
            move = change_move(change, *size)
            pieces = [piece.annotation for one in objects if (piece := moved(one, move, size=size, rule=rule))]
            name = new_name(image.file_name, f"__copy{copy}", names)
            record = replace(image, file_name=name, extra=image.extra | origin | {"augmented": image.file_name})
            result.add(record, pieces, replace(recipe, change=change))
            result.counts += Counts(dropped=len(objects) - len(pieces))
    return result.conversion()


def new_name(name: str, mark: str, taken: set[str]) -> str:
    """Return a free name beside `name`, which `taken` then holds; JPEG and PNG keep their format, others become PNG."""
    path = PurePosixPath(name)
    suffix = path.suffix if path.suffix.lower() in _KEPT_FORMATS else f"{path.suffix}.png"
    while (found := str(path.with_name(f"{path.stem}{mark}{suffix}"))) in taken:
        mark += "_"
    taken.add(found)
    return found


class _Gathering:
    """A converted dataset while it grows; what is added gets ids that the dataset does not have."""

    def __init__(self, start: Conversion) -> None:
        dataset = start.dataset
        self.counts = start.counts
        self._dataset, self._recipes = dataset, dict(start.recipes)
        self._images: list[CocoImage] = []
        self._annotations: list[CocoAnnotation] = []
        self._image_id = max((one.id for one in dataset.images), default=0)
        self._annotation_id = max((one.id for one in dataset.annotations), default=0)

    def keep(self, image: CocoImage, objects: Sequence[CocoAnnotation]) -> None:
        """Take an image over as it is."""
        self._images.append(image)
        self._annotations += objects

    def add(self, image: CocoImage, objects: Sequence[CocoAnnotation], recipe: ImageRecipe) -> None:
        """Add a picture that is made by a recipe, under new ids."""
        self._image_id += 1
        self._images.append(replace(image, id=self._image_id))
        self._recipes[image.file_name] = recipe
        for one in objects:
            self._annotation_id += 1
            self._annotations.append(replace(one, id=self._annotation_id, image_id=self._image_id))

    def conversion(self) -> Conversion:
        """Return what was gathered."""
        dataset = replace(self._dataset, images=tuple(self._images), annotations=tuple(self._annotations))
        return Conversion(dataset, self._recipes, self.counts)


def _pictures(
    image: CocoImage, longest_side: int | None, tiles: Tiles | None, names: set[str], as_png: Collection[str]
) -> Iterator[ConvertedImage]:
    scale = min(1.0, longest_side / max(image.width, image.height)) if longest_side else 1.0
    width, height = (max(1, round(side * scale)) for side in (image.width, image.height))
    resize = scaling(width / image.width, height / image.height)
    windows = tiles.windows(width, height) if tiles else []
    if len(windows) > 1:
        for left, top, across, down in windows:
            place = {"of": image.file_name, "left": left, "top": top}
            extra = image.extra | {"group": image.extra.get("group", image.file_name), "tile": place}
            name = new_name(image.file_name, f"__{left}_{top}", names)
            record = CocoImage(image.id, name, across, down, extra)
            cut = resize + shifting(left, top) - scaling(1, 1)
            yield ConvertedImage(record, ImageRecipe(image.file_name, (width, height), (left, top, across, down)), cut)
    elif scale < 1 or image.file_name in as_png:
        record = CocoImage(image.id, _name_of_whole(image, names, as_png), width, height, image.extra)
        yield ConvertedImage(record, ImageRecipe(image.file_name, (width, height)), resize)


def _name_of_whole(image: CocoImage, names: set[str], as_png: Collection[str]) -> str:
    path = PurePosixPath(image.file_name)
    if image.file_name in as_png:
        return new_name(str(path.with_suffix(".png")), "", names - {image.file_name})
    return image.file_name if path.suffix.lower() in _KEPT_FORMATS else new_name(image.file_name, "", names)


def _follow(
    objects: tuple[CocoAnnotation, ...], pictures: list[ConvertedImage], rule: Rule
) -> tuple[list[list[CocoAnnotation]], Counts]:
    """Return what is left of the objects in each picture, and the counts of what was cut and dropped."""
    found: list[list[CocoAnnotation]] = [[] for _ in pictures]
    counts = Counts()
    for one in objects:
        kept = 0
        for picture, pieces in zip(pictures, found, strict=True):
            if not _meets(one, picture):
                continue
            piece = moved(one, picture.move, size=(picture.image.width, picture.image.height), rule=rule)
            if piece is None:
                counts += Counts(dropped=1)
                continue
            pieces.append(piece.annotation)
            kept += 1
            counts += Counts(cut=piece.cut)
        counts += Counts(lost=not kept)
    return found, counts


def _meets(one: CocoAnnotation, picture: ConvertedImage) -> bool:
    """Return whether a box shares pixels with a picture that is neither rotated nor mirrored."""
    x, y, width, height = one.bbox
    (across, _, left), (_, down, top) = picture.move.tolist()
    return (
        x * across + left < picture.image.width
        and (x + width) * across + left > 0
        and y * down + top < picture.image.height
        and (y + height) * down + top > 0
    )
