"""Whole sources, images and all, in every format: archives, folders, tables, databases, several at once."""

import shutil
import sqlite3
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from coco_fetch import Loaded, fetch_dataset
from faulty_server import FaultyServer, whole
from fetch_params import FetchParams
from format_writers import WRITERS, table_columns, write_coco, write_csv_table, write_voc
from label_formats.database import address_of
from label_formats.detection import detect
from load_summary import formats_table
from sample_scenes.sample import write_scenes
from scenes_url import parse_scenes_url
from sinara_lib.errors import DataError
from sinara_lib.vision.coco import CocoDataset, load_coco

SCENES = "sample://scenes?images=6&size=96&seed=5&defects=0"
HIDDEN = "hidden-word"


@pytest.fixture(scope="module")
def scenes(tmp_path_factory: pytest.TempPathFactory) -> tuple[CocoDataset, Path]:
    """Six drawn images and their document."""
    folder = tmp_path_factory.mktemp("scenes")
    return write_scenes(parse_scenes_url(SCENES), folder), folder / "images"


def load(work: Path, **values: Any) -> Loaded:
    return fetch_dataset(FetchParams(**values), work)


def boxes(dataset: CocoDataset) -> dict[str, list[tuple[str, Any]]]:
    names = dict(zip(dataset.category_ids, dataset.class_names, strict=True))
    return {
        image.file_name: [
            (names[one.category_id], np.round(one.bbox, 6).tolist()) for one in dataset.annotations_of(image.id)
        ]
        for image in dataset.images
    }


@pytest.mark.parametrize("format_name", WRITERS)
def test_one_archive_of_images_and_annotations_is_read_whatever_its_format(
    format_name: str, scenes: tuple[CocoDataset, Path], tmp_path: Path
) -> None:
    dataset, images = scenes
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        for path in sorted(images.iterdir()):
            archive.write(path, f"images/{path.name}")
        for name, data in WRITERS[format_name](dataset).items():
            archive.writestr(name, data)
        archive.writestr("README.txt", "words")

    loaded = load(tmp_path / "work", images_url=str(tmp_path / "a.zip"))

    assert boxes(loaded.dataset) == boxes(dataset)
    assert loaded.names == sorted(path.name for path in images.iterdir())
    assert (loaded.missing, loaded.sources[0].format.endswith(", detected")) == ([], True)
    assert load_coco(loaded.annotations / "instances.json") == loaded.dataset
    assert (loaded.images / loaded.names[0]).read_bytes() == (images / loaded.names[0]).read_bytes()


def test_several_sources_in_several_formats_become_one_document(
    scenes: tuple[CocoDataset, Path], tmp_path: Path
) -> None:
    dataset, images = scenes
    for name, data in write_voc(dataset).items():
        (tmp_path / "voc" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "voc" / name).write_bytes(data)
    (tmp_path / "labels.json").write_bytes(write_coco(dataset)["annotations/instances.json"])
    sources = [
        {"images_url": SCENES},
        {"images_url": str(images), "annotations_url": str(tmp_path / "voc")},
        {"images_url": str(images), "annotations_url": str(tmp_path / "labels.json"), "format": "coco"},
    ]
    loaded = load(tmp_path / "work", sources=sources)

    assert len(loaded.dataset.annotations) == 3 * len(dataset.annotations)
    assert loaded.dataset.class_names == dataset.class_names
    assert [source.format for source in loaded.sources] == [
        "the built-in sample",
        "Pascal VOC XML, detected",
        "COCO JSON, as the parameters say",
    ]
    assert len(loaded.names) == 18
    assert {one.extra["source"] for one in loaded.dataset.images} == {source.url for source in loaded.sources}
    assert "scenes__000000000001.jpg" in loaded.names
    assert list(loaded.origins)[:3] == ["source 1: images", "source 1: annotations", "source 2: images"]
    assert "Pascal VOC XML, detected" in formats_table(loaded.sources)


@pytest.fixture
def database(scenes: tuple[CocoDataset, Path], tmp_path: Path) -> str:
    """The scenes as a table of SQLite, with whole paths of the images."""
    dataset, images = scenes
    columns = table_columns(dataset)
    columns["image"] = [str(images / name) for name in columns["image"]]
    with sqlite3.connect(tmp_path / "labels.db") as connection:
        connection.execute(f"create table boxes ({', '.join(columns)})")
        connection.executemany(
            "insert into boxes values (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", list(zip(*columns.values(), strict=True))
        )
    return f"sqlite:///{tmp_path / 'labels.db'}"


def test_a_query_gives_boxes_and_the_paths_of_the_images(
    scenes: tuple[CocoDataset, Path], database: str, tmp_path: Path
) -> None:
    query = "select * from boxes where label != 'car' or label is null"
    loaded = load(tmp_path / "work", annotations_url=database, query=query)

    kept = {name: [one for one in found if one[0] != "car"] for name, found in boxes(scenes[0]).items()}
    assert boxes(loaded.dataset) == {name: found for name, found in kept.items() if found or not boxes(scenes[0])[name]}
    assert loaded.missing == []
    assert list(loaded.origins) == ["annotations", f"{len(loaded.names)} images named by the annotations"]


@pytest.mark.parametrize(
    ("address", "query", "message"),
    [
        ("{}", "delete from boxes", "the query must be a SELECT; it starts with 'delete from boxes'"),
        ("{}", "select * from absent", "the query failed: .*no such table: absent"),
        ("sqlite:////nowhere/labels.db", "select 1", "there is no such database file"),
        ("nosuchbase://host/db", "select 1", "nosuchbase cannot be told to refuse to write"),
        ("postgresql+nosuchdriver://host/db", "select 1", "the query failed"),
        ("{}", "select label, label from boxes", "columns have the same name: label"),
    ],
)
def test_a_query_that_fails_says_why_and_shows_no_password(
    address: str, query: str, message: str, database: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SINARA_SQL_PASSWORD", HIDDEN)
    with pytest.raises(DataError, match=message) as caught:
        load(tmp_path / "work", annotations_url=address.format(database), query=query)

    assert HIDDEN not in str(caught.value)


def test_the_password_goes_with_the_user_of_the_url_and_is_never_shown() -> None:
    address = address_of("postgresql+psycopg://me@host:5432/db", HIDDEN)

    assert address.password == HIDDEN
    assert HIDDEN not in f"{address} {address!r}"
    assert address_of("sqlite:///labels.db", HIDDEN).password is None


def test_images_named_by_url_are_downloaded_and_those_that_are_no_images_are_missing(
    server: FaultyServer, tmp_path: Path
) -> None:
    picture = tmp_path / "picture.png"
    Image.new("RGB", (40, 30), (90, 90, 90)).save(picture)
    here = server.serve("/a/1.png", whole(picture.read_bytes()))
    table = f"image,label,x,y,width,height\n{here},cat,1,2,3,4\n{here.replace('1.png', 'page')},cat,1,2,3,4\n"
    (tmp_path / "labels.csv").write_text(table)

    loaded = load(tmp_path / "work", annotations_url=str(tmp_path / "labels.csv"))

    assert (loaded.names, loaded.missing) == (["1.png"], ["page"])
    assert [(one.width, one.height) for one in loaded.dataset.images] == [(40, 30), (0, 0)]
    assert loaded.dataset.images[0].extra == {"source": here}


def test_a_table_from_a_network_never_reads_files_of_this_machine(server: FaultyServer, tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "own.png")
    table = f"image,label,x,y,width,height\n{tmp_path / 'own.png'},cat,1,2,3,4\n"
    (tmp_path / "labels.csv").write_text(table)
    url = server.serve("/labels.csv", whole(table.encode()))

    assert load(tmp_path / "local", annotations_url=str(tmp_path / "labels.csv")).names == ["own.png"]
    with pytest.raises(DataError, match=r"None of the 1 images of the annotations \(such as own\.png\)"):
        load(tmp_path / "remote", annotations_url=url)


def test_sizes_that_a_source_leaves_out_come_from_the_upright_image(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "in").mkdir()
    Image.new("RGB", (40, 30)).save(tmp_path / "in" / "1.jpg", exif=exif)
    (tmp_path / "in" / "1.txt").write_text("0 0.5 0.5 1 0.5")
    (tmp_path / "in" / "classes.txt").write_text("cat\n")
    (tmp_path / "in" / "labels").mkdir()
    (tmp_path / "in" / "labels" / "gone.txt").write_text("0 0.5 0.5 1 0.5")

    loaded = load(tmp_path / "work", images_url=str(tmp_path / "in"))

    assert [(one.width, one.height) for one in loaded.dataset.images] == [(30, 40)]
    assert loaded.dataset.annotations[0].bbox == (0, 10, 30, 20)
    assert loaded.sources[0].tally.left_out == {"objects of label files whose image is not there": 1}
    assert "2 objects found = 1 taken + 1 left out." in formats_table(loaded.sources)
    assert "- 1 label files whose image is not there" in formats_table(loaded.sources)


def test_annotations_in_two_formats_need_a_word_which_counts(scenes: tuple[CocoDataset, Path], tmp_path: Path) -> None:
    dataset, images = scenes
    shutil.copytree(images, tmp_path / "in" / "images")
    for name, data in {**write_voc(dataset), **write_csv_table(dataset)}.items():
        (tmp_path / "in" / name).parent.mkdir(exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)

    with pytest.raises(DataError, match=r"several formats: .*Pascal VOC XML \(Annotations/"):
        load(tmp_path / "both", images_url=str(tmp_path / "in"))
    said = load(tmp_path / "said", images_url=str(tmp_path / "in"), format="voc")
    member = load(tmp_path / "member", images_url=str(tmp_path / "in"), annotations_member="Annotations")
    assert boxes(said.dataset) == boxes(member.dataset) == boxes(dataset)


def test_columns_of_what_is_no_table_are_refused(scenes: tuple[CocoDataset, Path], tmp_path: Path) -> None:
    (tmp_path / "labels.json").write_bytes(write_coco(scenes[0])["annotations/instances.json"])
    asked = {"images_url": str(scenes[1]), "annotations_url": str(tmp_path / "labels.json")}

    with pytest.raises(DataError, match=r"belong to a table; this is COCO JSON"):
        load(tmp_path / "work", **asked, columns={"label": "kind"})


@pytest.mark.parametrize(
    ("heads", "message"),
    [
        ({}, "files that may hold some: none"),
        ({"notes.json": b'{"info": {}}', "a.csv": b"one,two\n"}, "files that may hold some: a.csv, notes.json"),
    ],
)
def test_unknown_files_are_told_with_the_known_formats(heads: dict[str, bytes], message: str) -> None:
    with pytest.raises(DataError, match=rf"{message}.*label_studio \(Label Studio JSON\)"):
        detect(heads, where="it")
