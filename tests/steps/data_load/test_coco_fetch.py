"""What data_load publishes is what the sources hold, or there is one clear error."""

import hashlib
import io
import json
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import pytest

from coco_fetch import Loaded, fetch_dataset, fetch_weights
from data_sources.origin import write_source_page
from faulty_server import FaultyServer, whole
from fetch_params import FetchParams
from sinara_lib.downloads.origin import Origin
from sinara_lib.errors import ArchiveError, DataError

# Nothing here decodes images.
IMAGES = {
    "val2017/1.jpg": b"one",
    "val2017/2.PNG": b"two",
    "val2017/.hidden.jpg": b"",
    "__MACOSX/val2017/._1.jpg": b"fork",
}


def coco(*names: str, **more: Any) -> bytes:
    images = [{"id": i, "file_name": name, "width": 8, "height": 8} for i, name in enumerate(names, start=1)]
    return json.dumps(
        {"images": images, "annotations": [], "categories": [{"id": 1, "name": "person"}], **more}
    ).encode()


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(zipfile.ZipInfo(name, (2017, 9, 1, 12, 0, 0)), data)
    return buffer.getvalue()


def load(work: Path, **values: Any) -> Loaded:
    return fetch_dataset(FetchParams(**values), work)


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def labels(tmp_path: Path) -> str:
    """A document of the two images of IMAGES."""
    (tmp_path / "labels.json").write_bytes(coco("1.jpg", "2.PNG"))
    return str(tmp_path / "labels.json")


@pytest.fixture
def pictures(tmp_path: Path) -> str:
    """An archive of IMAGES."""
    (tmp_path / "pictures.zip").write_bytes(zipped(IMAGES))
    return str(tmp_path / "pictures.zip")


def test_images_of_an_archive_by_url_come_out_flat(server: FaultyServer, labels: str, work: Path) -> None:
    body = zipped(IMAGES)
    url = server.serve("/val2017.zip", whole(body))

    loaded = load(work, images_url=url, annotations_url=labels)

    assert (loaded.names, loaded.sources[0].other_files) == (["1.jpg", "2.PNG"], 2)
    assert (loaded.images / "2.PNG").read_bytes() == b"two"
    origin = loaded.origins["images"]
    assert (origin.url, origin.size, origin.sha256) == (url, len(body), hashlib.sha256(body).hexdigest())
    assert not (work / "source_1").exists()


@pytest.mark.parametrize("kind", ["folder", "tar.gz path", "file URL"])
def test_images_come_from_folders_and_files_too(kind: str, labels: str, tmp_path: Path, work: Path) -> None:
    for name, data in IMAGES.items():
        (tmp_path / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "in" / name).write_bytes(data)
    with tarfile.open(tmp_path / "in.tar.gz", "w:gz") as archive:
        archive.add(tmp_path / "in", arcname=".")
    places = {
        "folder": str(tmp_path / "in"),
        "tar.gz path": str(tmp_path / "in.tar.gz"),
        "file URL": (tmp_path / "in.tar.gz").as_uri(),
    }

    loaded = load(work, images_url=places[kind], annotations_url=labels)

    assert loaded.names == ["1.jpg", "2.PNG"]
    assert len(loaded.origins["images"].sha256) == 64
    assert (tmp_path / "in.tar.gz").exists()


def test_a_list_of_archives_is_one_source(tmp_path: Path, labels: str, work: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"1.jpg": b"one"}))
    (tmp_path / "b.zip").write_bytes(zipped({"2.PNG": b"two"}))

    loaded = load(work, images_url=[str(tmp_path / "a.zip"), str(tmp_path / "b.zip")], annotations_url=labels)

    assert (loaded.names, loaded.missing) == (["1.jpg", "2.PNG"], [])
    assert list(loaded.origins) == ["images", "images 2", "annotations"]


def test_images_of_one_name_in_two_folders_are_told_apart_by_their_folders(tmp_path: Path, work: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"left/1.jpg": b"left", "right/1.jpg": b"right", "2.jpg": b""}))
    (tmp_path / "labels.json").write_bytes(coco("right/1.jpg", "left/1.jpg", "2.jpg"))

    loaded = load(work, images_url=str(tmp_path / "a.zip"), annotations_url=str(tmp_path / "labels.json"))

    assert [one.file_name for one in loaded.dataset.images] == ["right__1.jpg", "left__1.jpg", "2.jpg"]
    assert (loaded.images / "right__1.jpg").read_bytes() == b"right"


def test_an_image_that_may_be_either_of_two_files_is_refused(tmp_path: Path, work: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"left/1.jpg": b"", "right/1.jpg": b""}))
    (tmp_path / "labels.json").write_bytes(coco("1.jpg"))

    with pytest.raises(DataError, match=r"the image 1\.jpg may be any of left/1\.jpg, right/1\.jpg"):
        load(work, images_url=str(tmp_path / "a.zip"), annotations_url=str(tmp_path / "labels.json"))


def test_an_archive_that_is_none_is_named_by_its_url(server: FaultyServer, labels: str, work: Path) -> None:
    url = server.serve("/a.zip", whole(b"only words"))

    with pytest.raises(ArchiveError, match=rf"^{url}: is damaged, or is not a zip or tar archive"):
        load(work, images_url=url, annotations_url=labels)


def test_an_archive_without_images_says_what_it_looked_for(tmp_path: Path, labels: str, work: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"readme.md": b""}))

    with pytest.raises(DataError, match=r"a\.zip: holds no image \(\.bmp, .* among 1 files\. Check images_url"):
        load(work, images_url=str(tmp_path / "a.zip"), annotations_url=labels)


def test_the_named_document_is_taken_byte_for_byte(tmp_path: Path, pictures: str, work: Path) -> None:
    document = coco("1.jpg", note="kept")
    (tmp_path / "a.zip").write_bytes(
        zipped({"annotations/captions.json": b"{}", "annotations/instances.json": document})
    )

    loaded = load(
        work,
        images_url=pictures,
        annotations_url=str(tmp_path / "a.zip"),
        annotations_member="annotations/instances.json",
    )

    assert (loaded.annotations / "instances.json").read_bytes() == document
    assert [path.name for path in loaded.annotations.iterdir()] == ["instances.json"]
    assert loaded.dataset.images[0].file_name == "1.jpg"


def test_a_json_file_without_suffix_is_taken_as_the_document(server: FaultyServer, pictures: str, work: Path) -> None:
    url = server.serve("/labels", whole(coco("1.jpg")))

    loaded = load(work, images_url=pictures, annotations_url=url)

    assert loaded.dataset.class_names == ("person",)
    assert loaded.sources[0].format == "COCO JSON, detected"


def test_images_and_document_may_come_in_one_archive(tmp_path: Path, work: Path) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({**IMAGES, "deep/labels.json": coco("1.jpg"), "readme.txt": b""}))

    loaded = load(work, images_url=str(tmp_path / "a.zip"))

    assert (len(loaded.dataset.images), loaded.names) == (1, ["1.jpg", "2.PNG"])
    assert list(loaded.origins) == ["images and annotations"]


@pytest.mark.parametrize(
    ("member", "message"),
    [
        (None, r"holds several JSON files \(a\.json, b\.json\)\. Name one in annotations_member"),
        ("c.json", r"c\.json is not there; annotation files there: a\.json, b\.json\. Correct annotations_member"),
    ],
)
def test_an_unclear_document_lists_what_there_is(
    member: str | None, message: str, tmp_path: Path, pictures: str, work: Path
) -> None:
    (tmp_path / "a.zip").write_bytes(zipped({"a.json": coco(), "b.json": coco()}))

    with pytest.raises(DataError, match=message):
        load(work, images_url=pictures, annotations_url=str(tmp_path / "a.zip"), annotations_member=member)


def test_what_is_not_a_coco_document_is_refused(tmp_path: Path, pictures: str, work: Path) -> None:
    (tmp_path / "labels.json").write_text('{"images": 3}')

    with pytest.raises(
        DataError, match=r"^.*labels\.json: .*needs a list.*Check annotations_url and annotations_member"
    ):
        load(work, images_url=pictures, annotations_url=str(tmp_path / "labels.json"))


def test_folders_in_image_names_of_the_document_are_dropped_as_those_of_the_images_are(
    tmp_path: Path, pictures: str, work: Path
) -> None:
    (tmp_path / "labels.json").write_bytes(coco("train/1.jpg", "2.PNG"))

    loaded = load(work, images_url=pictures, annotations_url=str(tmp_path / "labels.json"))

    written = json.loads((loaded.annotations / "instances.json").read_text())
    assert [one["file_name"] for one in written["images"]] == ["1.jpg", "2.PNG"]
    assert [one.file_name for one in loaded.dataset.images] == ["1.jpg", "2.PNG"]


def test_two_records_for_one_file_are_refused_when_they_name_different_folders(
    tmp_path: Path, pictures: str, work: Path
) -> None:
    (tmp_path / "labels.json").write_bytes(coco("train/1.jpg", "val/1.jpg"))

    with pytest.raises(DataError, match=r"images in different folders have the same name \(1\.jpg\)"):
        load(work, images_url=pictures, annotations_url=str(tmp_path / "labels.json"))


def test_images_and_annotations_that_do_not_belong_together_are_noticed(
    tmp_path: Path, pictures: str, work: Path
) -> None:
    (tmp_path / "labels.json").write_bytes(coco("1.jpg", "3.jpg"))
    (tmp_path / "other.json").write_bytes(coco("8.jpg", "9.jpg"))

    assert load(work, images_url=pictures, annotations_url=str(tmp_path / "labels.json")).missing == ["3.jpg"]
    with pytest.raises(DataError, match=r"None of the 2 images of the annotations \(such as 8\.jpg\).*belong together"):
        load(tmp_path / "again", images_url=pictures, annotations_url=str(tmp_path / "other.json"))


def test_missing_images_of_merged_sources_are_told_by_the_names_they_have_there(
    tmp_path: Path, pictures: str, labels: str, work: Path
) -> None:
    (tmp_path / "half.zip").write_bytes(zipped({"1.jpg": b"one"}))
    sources = [
        {"images_url": pictures, "annotations_url": labels},
        {"images_url": str(tmp_path / "half.zip"), "annotations_url": labels},
    ]

    loaded = load(work, sources=sources)

    assert loaded.missing == ["labels2__2.PNG"]
    assert loaded.names == ["labels1__1.jpg", "labels1__2.PNG", "labels2__1.jpg"]


def test_the_same_sources_give_the_same_files_and_times(server: FaultyServer, tmp_path: Path) -> None:
    images = server.serve("/images.zip", whole(zipped(IMAGES)))
    labels = server.serve("/labels.json", whole(coco("1.jpg")))
    weights = server.serve("/net.pth", whole(b"checkpoint"))
    seen = []
    for run in ("first", "second"):
        work = tmp_path / run
        work.mkdir()
        asked = FetchParams(images_url=images, annotations_url=labels, weights_url=weights)
        origins = {**fetch_dataset(asked, work).origins, "weights": fetch_weights(asked, work).origin}
        write_source_page(work / "annotations" / "source.json", origins)
        published = [work / name for name in ("annotations", "images", "weights")]
        files = [path for folder in published for path in sorted(folder.rglob("*")) if path.is_file()]
        seen.append([(str(path.relative_to(work)), path.read_bytes(), path.stat().st_mtime_ns) for path in files])

    assert seen[0] == seen[1]
    assert [name for name, _, _ in seen[0]] == [
        "annotations/instances.json",
        "annotations/source.json",
        "images/1.jpg",
        "images/2.PNG",
        "weights/net.pth",
        "weights/weights.json",
    ]


def test_the_sample_brings_images_and_annotations(work: Path) -> None:
    asked = FetchParams(images_url="sample://scenes?images=6&size=128&seed=3")

    loaded = fetch_dataset(asked, work)

    assert (len(loaded.names), loaded.missing) == (6, [])
    urls = {origin.url for origin in loaded.origins.values()}
    assert urls == {"sample://scenes?images=6&size=128&seed=3&defects=1"}


def test_the_source_page_keeps_no_secret_and_no_time(
    server: FaultyServer, labels: str, work: Path, tmp_path: Path
) -> None:
    url = server.serve("/images.zip", whole(zipped(IMAGES)))
    origin: Origin = load(work, images_url=f"{url}?token=secret", annotations_url=labels).origins["images"]

    write_source_page(tmp_path / "source.json", {"images": origin, "weights": None})

    page = json.loads((tmp_path / "source.json").read_text())
    assert page["images"].keys() == {"url", "bytes", "sha256", "etag", "last_modified", "licences"}
    assert page["images"]["url"] == url
    assert page["weights"] is None
