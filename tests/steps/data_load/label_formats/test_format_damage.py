"""A thousand damaged documents of all formats end in a clear error, or in a document that later steps can trust."""

import json
import math
import random
import shutil
import zipfile
from pathlib import Path
from typing import Any

import pytest
from PIL import Image

from coco_fetch import Loaded, fetch_dataset
from fetch_params import FetchParams
from format_writers import WRITERS
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoAnnotation, CocoCategory, CocoDataset, CocoImage, load_coco

EACH = 63
"""Damaged documents of each of the sixteen kinds of file: 1,008 in all."""
TOKENS = [
    b"NaN",
    b"-1",
    b"1e999",
    b"9" * 400,
    b"0",
    b"null",
    b"{}",
    b"[[",
    b'"',
    b"<",
    b"&x;",
    b"\0",
    b"\xff",
    b"../",
    b"\n",
    b",",
    b"\\ud800",
]
VALUES: list[Any] = [
    None,
    True,
    -1,
    0,
    1e308,
    math.nan,
    math.inf,
    10**30,
    "",
    "x",
    "../x",
    "\ud800",
    [],
    {},
    [[1]],
    {"a": 1},
]
DATASET = CocoDataset(
    (CocoImage(1, "one.png", 40, 30), CocoImage(2, "two.png", 20, 10)),
    (
        CocoAnnotation(1, 1, 1, (1.5, 2.0, 10.0, 20.0), 200.0, 0, None),
        CocoAnnotation(2, 1, 2, (5.0, 5.0, 10.0, 10.0), 50.0, 0, [[5.0, 5.0, 15.0, 5.0, 5.0, 15.0]]),
        CocoAnnotation(3, 2, 2, (0.0, 0.0, 20.0, 10.0), 200.0, 0, None),
    ),
    (CocoCategory(1, "cat"), CocoCategory(2, "dog")),
)


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("pictures") / "images.zip"
    with zipfile.ZipFile(path, "w") as archive:
        for image in DATASET.images:
            Image.new("L", (image.width, image.height)).save(path.with_name("one.png"))
            archive.write(path.with_name("one.png"), f"images/{image.file_name}")
    return path


def damage(data: bytes, chance: random.Random) -> bytes:
    """One to three changes: of a value, where it is JSON, or of bytes anywhere."""
    for _ in range(chance.randint(1, 3)):
        kind = chance.choice(["value", "value", "token", "cut", "drop", "twice", "flip"])
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.randint(1, 30))
        if kind == "value":
            data = _other_value(data, chance)
        elif kind == "token":
            data = data[:start] + chance.choice(TOKENS) + data[end if chance.random() < 0.5 else start :]
        elif kind == "cut":
            data = data[:start]
        elif kind == "drop":
            data = data[:start] + data[end:]
        elif kind == "twice":
            data = data[:end] + data[start:]
        elif data:
            place = min(start, len(data) - 1)
            data = data[:place] + bytes([data[place] ^ 1 << chance.randrange(8)]) + data[place + 1 :]
    return data


def _other_value(data: bytes, chance: random.Random) -> bytes:
    """JSON with one value replaced, or a word of anything else."""
    try:
        document = json.loads(data)
    except ValueError:
        words = data.split(b'"')
        words[chance.randrange(len(words))] = chance.choice(TOKENS)
        return b'"'.join(words)
    places = list(_places(document))
    if places:
        parent, key = chance.choice(places)
        parent[key] = chance.choice(VALUES)
    return json.dumps(document).encode()


def _places(value: Any) -> Any:
    """Every list or object within a value, with each of its keys."""
    for key in range(len(value)) if isinstance(value, list) else list(value) if isinstance(value, dict) else ():
        yield value, key
        yield from _places(value[key])


def ensure_sound(loaded: Loaded, format_name: str) -> None:
    """What was read can be read again, points to things that are there, and holds numbers only."""
    document = loaded.annotations / "instances.json"
    assert load_coco(document) == loaded.dataset
    listed = {image.file_name for image in loaded.dataset.images}
    assert listed <= {*loaded.names, *loaded.missing}
    if format_name == "coco":
        return
    text = document.read_text(encoding="utf-8")
    assert not {"NaN", "Infinity"} & set(text.replace(",", " ").replace(":", " ").replace("]", " ").split())
    images = [image.id for image in loaded.dataset.images]
    annotations = [one.id for one in loaded.dataset.annotations]
    assert len(set(images)) == len(images) == len(listed)
    assert len(set(annotations)) == len(annotations)
    assert {one.image_id for one in loaded.dataset.annotations} <= set(images)
    assert {one.category_id for one in loaded.dataset.annotations} <= set(loaded.dataset.category_ids)


@pytest.mark.parametrize("format_name", WRITERS)
def test_damaged_documents_end_in_a_clear_error_or_in_a_sound_document(
    format_name: str, pictures: Path, tmp_path: Path
) -> None:
    whole = WRITERS[format_name](DATASET)
    refused: list[str] = []
    for number in range(EACH):
        chance = random.Random(f"{format_name}/{number}")
        source, work = tmp_path / "source", tmp_path / "work"
        hurt = chance.choice(sorted(whole))
        for name, data in whole.items():
            (source / name).parent.mkdir(parents=True, exist_ok=True)
            (source / name).write_bytes(damage(data, chance) if name == hurt else data)
        said = None if chance.random() < 0.5 else format_name.split(" ")[0]
        try:
            loaded = fetch_dataset(
                FetchParams.model_validate(
                    {"images_url": str(pictures), "annotations_url": str(source), "format": said}
                ),
                work,
            )
        except DataError as error:
            refused.append(str(error))
        else:
            ensure_sound(loaded, format_name)
        shutil.rmtree(source)
        shutil.rmtree(work)

    # Neither is everything refused, nor does everything pass.
    assert EACH // 10 < len(refused) < EACH
    assert [message for message in refused if not (20 < len(message) < 3000 and "Traceback" not in message)] == []
