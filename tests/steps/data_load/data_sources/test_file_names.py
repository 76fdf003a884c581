"""Files keep their names on the way in, in any script and form, from URLs, folders, archives and object stores."""

import io
import json
import os
import tarfile
import unicodedata
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import s3fs
from PIL import Image

from coco_fetch import Loaded, fetch_dataset
from data_sources.fetch import local_path
from faulty_server import FaultyServer, whole
from fetch_params import FetchParams
from label_formats.image_index import ImageIndex, flat_names
from sinara_lib.downloads.cache import cache_key
from sinara_lib.downloads.folders import files_below
from sinara_lib.downloads.names import LONGEST, file_name
from sinara_lib.errors import DownloadError
from tests.s3_server import start_s3_server

NAMES = [
    "sp ace.jpg",
    "Größe.jpg",
    "写真.jpg",
    "写典.jpg",
    "a+b (1).jpg",
    "per%41cent.jpg",
    "ha#sh.jpg",
    "qu?estion.jpg",
]
LONG = "長い" * 60 + ".jpg"


def _picture(number: int = 0) -> bytes:
    sink = io.BytesIO()
    Image.new("RGB", (40, 30), (90, number, 90)).save(sink, "PNG")
    return sink.getvalue()


def _document(names: list[str]) -> dict[str, Any]:
    return {
        "images": [{"id": at, "file_name": name, "width": 40, "height": 30} for at, name in enumerate(names, start=1)],
        "annotations": [
            {"id": at, "image_id": at, "category_id": 1, "bbox": [at, 2, 3, 4], "area": 12, "iscrowd": 0}
            for at in range(1, len(names) + 1)
        ],
        "categories": [{"id": 1, "name": "car"}],
    }


def _load(tmp_path: Path, names: list[str], **values: Any) -> Loaded:
    (tmp_path / "labels.json").write_text(json.dumps(_document(names)))
    (tmp_path / "work").mkdir()
    values = {"annotations_url": str(tmp_path / "labels.json"), "attempts": 1, **values}
    return fetch_dataset(FetchParams.model_validate(values), tmp_path / "work")


def test_a_list_of_urls_in_any_script_gives_every_image(server: FaultyServer, tmp_path: Path) -> None:
    names = [*NAMES, LONG]
    urls = [server.serve(f"/{quote(name)}", whole(_picture(at), etag=f'"{at}"')) for at, name in enumerate(names)]
    loaded = _load(tmp_path, names, images_url=urls)

    assert (len(loaded.names), loaded.missing) == (9, [])
    assert set(NAMES) < set(loaded.names)
    assert all(len(name.encode()) <= LONGEST for name in loaded.names)
    colours = {name: Image.open(loaded.images / name).getpixel((0, 0))[1] for name in NAMES}  # type: ignore[index]
    assert colours == {name: at for at, name in enumerate(NAMES)}


@pytest.fixture(scope="module")
def bucket() -> Iterator[str]:
    """A bucket with a picture under each name."""
    with pytest.MonkeyPatch.context() as patch, start_s3_server() as running:
        running.make_bucket("data")
        for name, value in (
            ("ENDPOINT_URL", running.endpoint),
            ("ACCESS_KEY_ID", running.key),
            ("SECRET_ACCESS_KEY", running.secret),
        ):
            patch.setenv(f"AWS_{name}", value)
        s3fs.S3FileSystem.clear_instance_cache()
        fs = s3fs.S3FileSystem()
        for at, name in enumerate(NAMES):
            fs.pipe_file(f"data/photos/{name}", _picture(at))
        yield "s3://data/photos/"


@pytest.mark.parametrize("as_folder", [False, True])
def test_an_objects_key_is_its_name_whatever_signs_it_holds(bucket: str, tmp_path: Path, *, as_folder: bool) -> None:
    loaded = _load(tmp_path, NAMES, images_url=bucket if as_folder else [f"{bucket}{name}" for name in NAMES])

    assert (sorted(loaded.names), loaded.missing) == (sorted(NAMES), [])
    colours = {name: Image.open(loaded.images / name).getpixel((0, 0))[1] for name in NAMES}  # type: ignore[index]
    assert colours == {name: at for at, name in enumerate(NAMES)}


def test_keys_that_differ_behind_a_hash_do_not_share_a_place_in_the_cache() -> None:
    keys = ["s3://data/a#1.jpg", "s3://data/a#2.jpg", "s3://data/a?1.jpg", "s3://data/a%41.jpg", "s3://data/aA.jpg"]
    assert len({cache_key(key) for key in keys}) == len(keys)
    signed = "s3://data/a.jpg?X-Amz-Signature=1"
    assert cache_key(signed) == cache_key("s3://me:word@data/a.jpg") == cache_key("S3://data/a.jpg")


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h/a/sp%20ace.jpg?x=1#y", "sp ace.jpg"),
        ("https://h/%E5%86%99%E7%9C%9F.jpg", "写真.jpg"),
        ("https://h/latin%E9.jpg", "latin%E9.jpg"),
        ("https://h/o/images%2F1.jpg?alt=media", "1.jpg"),
        ("https://h/a%00b%0A.jpg", "a_b_.jpg"),
        ("s3://bucket/ha#sh.jpg", "ha#sh.jpg"),
        ("s3://bucket/a::b%41.jpg", "a::b%41.jpg"),
        ("s3://bucket/a.jpg?X-Amz-Signature=1", "a.jpg"),
    ],
)
def test_the_last_part_of_a_url_is_the_name_of_its_file(url: str, name: str) -> None:
    assert file_name(url) == name


def test_long_names_that_begin_alike_stay_apart_and_are_found() -> None:
    first, second = ("x" * 300 + f"{end}.jpg" for end in "ab")
    names = flat_names([first, f"folder/{second}"])
    assert len(set(names.values())) == 2
    assert all(len(name) == LONGEST and name.endswith(".jpg") for name in names.values())
    assert ImageIndex([file_name(f"https://h/{first}")]).find(first) == names[first]


@pytest.mark.parametrize("form", ["NFC", "NFD"])
def test_a_name_is_found_in_either_form_of_unicode_and_its_very_own_first(form: str) -> None:
    stored, wanted = unicodedata.normalize("NFD", "Größe.jpg"), unicodedata.normalize(form, "Größe.jpg")
    index = ImageIndex([stored])
    assert (index.find(wanted) or index.find_twin(wanted)) == index.find_stem(wanted[:-4]) == stored
    both = [stored, unicodedata.normalize("NFC", "Größe.jpg")]
    assert ImageIndex(both).find(wanted) == wanted
    flat = flat_names([f"a/{both[0]}", f"b/{both[1]}"]).values()
    assert len({unicodedata.normalize("NFC", name) for name in flat}) == 2


def _zip(path: Path, names: dict[bytes, bytes]) -> Path:
    """Write a zip as tools do that store names in the coding of their machine and do not say so."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, data in names.items():
            archive.writestr("x" * len(name), data)
    stored = path.read_bytes()
    for name in names:
        stored = stored.replace(b"x" * len(name), name)
    path.write_bytes(stored)
    return path


@pytest.mark.parametrize(
    ("name", "coding", "given", "told"),
    [
        ("人行道.jpg", "gbk", None, "read as GBK, since the archive does not say it; if not, set names_coding"),
        ("人行道.jpg", "utf-8", None, "read as UTF-8"),
        ("Größe.jpg", "cp437", None, "read as CP437, since"),
        ("Фото.jpg", "cp866", "cp866", "read as CP866, as the parameters say"),
        ("写真.jpg", "shift_jis", "shift_jis", "read as SHIFT_JIS, as the parameters say"),
    ],
)
def test_names_of_a_zip_are_read_and_the_coding_is_said(
    tmp_path: Path, caplog: pytest.LogCaptureFixture, name: str, coding: str, given: str | None, told: str
) -> None:
    path = _zip(tmp_path / "photos.zip", {name.encode(coding): _picture()})
    with caplog.at_level("INFO"):
        loaded = _load(tmp_path, [name], images_url=str(path), names_coding=given)
    assert (loaded.names, loaded.missing) == ([name], [])
    assert told in caplog.text


def test_names_of_a_tar_in_another_coding_are_read_and_stay_apart(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    names = ["人行.jpg", "车道.jpg"]
    with tarfile.open(tmp_path / "photos.tar", "w", format=tarfile.USTAR_FORMAT, encoding="gbk") as archive:
        for name in names:
            info = tarfile.TarInfo(name)
            info.size = len(_picture())
            archive.addfile(info, io.BytesIO(_picture()))
    loaded = _load(tmp_path, names, images_url=str(tmp_path / "photos.tar"))
    assert (loaded.names, loaded.missing) == (sorted(names), [])
    assert "read as GBK" in caplog.text


def test_a_linked_folder_is_read_and_a_loop_of_links_ends(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "1.png").write_bytes(_picture())
    photos = tmp_path / "photos"
    (photos / "train").mkdir(parents=True)
    (photos / "train" / "2.png").write_bytes(_picture())
    (photos / "val").symlink_to(tmp_path / "elsewhere")
    (photos / "train" / "up").symlink_to(photos)
    (photos / "gone.png").symlink_to(tmp_path / "nothing")
    assert [path.relative_to(photos).as_posix() for path in files_below(photos)] == ["train/2.png", "val/1.png"]
    assert "leads back to a folder that it lies in" in caplog.text
    assert "gone.png: leads to nothing" in caplog.text

    loaded = _load(tmp_path, ["train/2.png", "val/1.png"], images_url=str(photos))
    assert (loaded.names, loaded.missing) == (["1.png", "2.png"], [])


def test_percent_signs_are_read_in_urls_alone(tmp_path: Path) -> None:
    os.mkdir(tmp_path / "ro%20ot")
    assert local_path(f"{tmp_path}/ro%20ot") == tmp_path / "ro%20ot"
    assert local_path(f"file://{tmp_path}/ro%20ot") == tmp_path / "ro%20ot"
    assert local_path(f"file://{tmp_path}/ro%2520ot") == tmp_path / "ro%20ot"
    os.mkdir(tmp_path / "ro ot")
    assert local_path(f"file://{tmp_path}/ro%20ot") == tmp_path / "ro ot"
    assert local_path(f"{tmp_path}/ro%20ot") == tmp_path / "ro%20ot"
    (tmp_path / "ha#sh?.png").touch()
    assert local_path(f"file://{tmp_path}/ha#sh?.png") == tmp_path / "ha#sh?.png"
    with pytest.raises(DownloadError, match=r"there is no file or folder .*gone"):
        local_path(f"file://{tmp_path}/gone")


def test_a_coco_document_alone_names_its_images_by_url(server: FaultyServer, tmp_path: Path) -> None:
    first = server.serve("/a/1.png", whole(_picture(1)))
    second = server.serve("/b/1.png", whole(_picture(2)))
    (tmp_path / "3.png").write_bytes(_picture(3))
    loaded = _load(tmp_path, [first.replace("//", "//me:secret@"), second, "3.png", "no.png"])

    assert loaded.missing == ["no.png"]
    colours = [Image.open(loaded.images / one.file_name).getpixel((0, 0))[1] for one in loaded.dataset.images[:3]]  # type: ignore[index]
    assert colours == [1, 2, 3]
    assert [one.bbox[0] for one in loaded.dataset.annotations] == [1, 2, 3, 4]
    assert not [name for name in loaded.names if "secret" in name]


def test_urls_that_differ_in_their_query_alone_are_two_images(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/get/1.png", whole(_picture(1)))
    loaded = _load(tmp_path, [f"{url}?id=1", f"{url}?id=2"])

    assert (len(loaded.names), loaded.missing) == (2, [])
    assert len({one.file_name for one in loaded.dataset.images}) == 2


@pytest.mark.parametrize("name", ["1.jfif", "1.jpe", "1.JIF", "1.mpo", "1.webp"])
def test_every_usual_ending_of_an_image_is_one(name: str, tmp_path: Path) -> None:
    record = {"id": 1, "file_name": name, "width": 8, "height": 8}
    document = {"images": [record], "annotations": [], "categories": [{"id": 1, "name": "car"}]}
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        archive.writestr(name, b"one")
        archive.writestr("labels.json", json.dumps(document))
    assert fetch_dataset(FetchParams(images_url=str(tmp_path / "a.zip")), tmp_path / "work").names == [name]
