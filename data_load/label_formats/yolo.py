"""YOLO: one text file for each image, a line for each object; the classes stand in data.yaml or classes.txt.

A line is `class x y width height` (centre and sides) or `class x y x y ...` (a polygon, or the corners of a rotated
box); all as shares of the image's sides. Format: https://docs.ultralytics.com/datasets/detect/
"""

from collections.abc import Mapping
from pathlib import PurePosixPath

import yaml

from label_formats.geometry import enclosing_box
from label_formats.labels import LabelledImage, LabelledObject, Labels
from label_formats.tally import Tally
from label_formats.values import decoded, number, points, text, whole
from sinara_lib.errors import DataError
from sinara_lib.vision.coco_fields import shown

MOST_YAML_BYTES = 4 << 20
MOST_DEPTH = 20
_OPENING = (
    yaml.FlowSequenceStartToken,
    yaml.FlowMappingStartToken,
    yaml.BlockSequenceStartToken,
    yaml.BlockMappingStartToken,
)
_CLOSING = (yaml.FlowSequenceEndToken, yaml.FlowMappingEndToken, yaml.BlockEndToken)


def parse_yolo(labels: Mapping[str, bytes], names_file: tuple[str, bytes]) -> Labels:
    """Read label files, each given as path and content, with the file that names the classes.

    Every label file is an image, also when it is empty. Raises DataError naming file, line and field.
    """
    names, keypoints = _classes(*names_file)
    tally = Tally()
    tally.note("names of classes given twice, which became one class", len(names) - len(set(names.values())))
    images = tuple(
        LabelledImage(
            name="",
            stem=image_stem(path),
            beside=path,
            objects=_objects(path, data, names, keypoints=keypoints, tally=tally),
            unit="share",
        )
        for path, data in labels.items()
    )
    return Labels(images, class_names=tuple(names.values()), tally=tally)


def class_names(path: str, data: bytes) -> dict[int, str]:
    """Return the classes that a file names, by number. Raises DataError."""
    return _classes(path, data)[0]


def image_stem(path: str) -> str:
    """Return where the image of a label file lies, without suffix: below `images` where labels lie below `labels`."""
    parts = list(PurePosixPath(path).with_suffix("").parts)
    if "labels" in parts[:-1]:
        last = len(parts) - 2 - parts[:-1][::-1].index("labels")
        parts[last] = "images"
    return "/".join(parts)


def _objects(
    path: str, data: bytes, names: dict[int, str], *, keypoints: bool, tally: Tally
) -> tuple[LabelledObject, ...]:
    found = []
    for line_number, line in enumerate(decoded(data, path).splitlines(), start=1):
        if not (words := line.split()):
            continue
        with tally.one_object():
            found.append(_line(words, names, f"{path}: line {line_number}", keypoints=keypoints, tally=tally))
    return tuple(found)


def _line(words: list[str], names: dict[int, str], place: str, *, keypoints: bool, tally: Tally) -> LabelledObject:
    index = whole(words[0], f"{place}: class")
    if index not in names:
        raise DataError(f"{place}: class {index} has no name; named are {shown(names)}.")
    values = [number(word, f"{place}: coordinate") for word in words[1:]]
    if keypoints and len(values) > 4:
        tally.note("keypoints of objects (their boxes are kept)")
        values = values[:4]
    return _object(names[index], values, place)


def _object(label: str, values: list[float], place: str) -> LabelledObject:
    if len(values) == 4:
        x, y, width, height = values
        return LabelledObject(label, (x - width / 2, y - height / 2, width, height))
    if len(values) == 5:
        raise DataError(f"{place}: has a sixth number; a line of predictions, with a score, is no label.")
    return LabelledObject(label, enclosing_box(points(values, place)), polygons=(tuple(values),))


def _classes(path: str, data: bytes) -> tuple[dict[int, str], bool]:
    """Class names by number, and whether lines hold keypoints too."""
    written = decoded(data, path)
    if not path.lower().endswith((".yaml", ".yml")):
        return {number: line.strip() for number, line in enumerate(written.split("\n")) if line.strip()}, False
    content = _yaml(written, path)
    names = content.get("names") if isinstance(content, dict) else None
    if isinstance(names, list):
        names = dict(enumerate(names))
    if not isinstance(names, dict) or not names:
        raise DataError(f"{path}: `names` must list the classes, found {shown(names)}.")
    found = {whole(key, f"{path}: names"): _name(key, name, path) for key, name in names.items()}
    return dict(sorted(found.items())), "kpt_shape" in content


def _name(key: object, name: object, path: str) -> str:
    if name is None:
        raise DataError(f"{path}: names: class {key} is null, which is no name. Put quotes around it where it is one.")
    return text(name, f"{path}: names: class {key}")


class _Text(yaml.SafeLoader):
    """Plain values stay as they are written: YAML would take the names 02146, no, 12:30 and 1.10 for other values."""


for _tag in ("bool", "int", "float", "timestamp", "value"):
    _Text.add_constructor(f"tag:yaml.org,2002:{_tag}", yaml.SafeLoader.construct_yaml_str)


def _yaml(written: str, path: str) -> object:
    """Return a YAML file's content, values as text. Anchors, which unfold to any size, and deep nesting are refused."""
    if len(written) > MOST_YAML_BYTES:
        raise DataError(f"{path}: is longer than {MOST_YAML_BYTES:,} characters; not a list of classes.")
    depth = 0
    try:
        for token in yaml.scan(written):
            depth += isinstance(token, _OPENING) - isinstance(token, _CLOSING)
            if isinstance(token, yaml.AnchorToken | yaml.AliasToken) or depth > MOST_DEPTH:
                raise DataError(f"{path}: holds YAML anchors or deep nesting, which a list of classes does not need.")
        return yaml.load(written, Loader=_Text)  # noqa: S506 - a SafeLoader that makes fewer types
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise DataError(f"{path}: is not a YAML document: {' '.join(str(error).split())[:200]}.") from error
