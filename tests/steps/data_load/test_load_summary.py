"""The report's tables and pictures show what was loaded."""

import io
import re
from datetime import datetime, timezone
from pathlib import Path

import pytest
from PIL import Image

from load_summary import class_chart, contact_sheet, counts_table, licences_table, origins_table
from sample_scenes.sample import write_scenes
from scenes_url import ScenesRequest
from sinara_lib.downloads.origin import Origin
from sinara_lib.vision.coco import CocoDataset, CocoImage


@pytest.fixture(scope="module")
def sample(tmp_path_factory: pytest.TempPathFactory) -> tuple[CocoDataset, Path]:
    folder = tmp_path_factory.mktemp("sample")
    return write_scenes(ScenesRequest(images=12, size=128), folder), folder / "images"


def test_counts_are_those_of_the_dataset(sample: tuple[CocoDataset, Path]) -> None:
    dataset, _ = sample

    table = counts_table(dataset, files=12, left_out=3, missing=1)

    assert "| Image files loaded | 12 |" in table
    assert "| Other files in the source, left out | 3 |" in table
    assert f"| Annotations | {len(dataset.annotations)} |" in table
    assert "| … of which crowds | 1 |" in table
    assert "1; most often 128 x 128 (12 images)" in table


def test_origins_show_the_time_in_utc_and_missing_weights() -> None:
    when = datetime(2026, 1, 2, 3, 4, 5, tzinfo=timezone.utc)
    origin = Origin("http://h/a|b.zip", 1_500_000, "ab" * 32, when, '"v|1"', checked="Digest", note="cached")

    table = origins_table({"images": origin, "weights": None})

    size = "1.5\N{NO-BREAK SPACE}MB"
    version = r'<code>"v\|1"</code>'
    row = f"| images | <http://h/a%7Cb.zip> | {size} | `abababababababab…` | {version} | 2026-01-02 03:04:05 UTC |"
    assert f"{row} agrees with Digest; cached |" in table
    assert "| weights | none: training starts from scratch |" in table


def test_what_a_server_or_a_licence_says_of_itself_stays_text_on_the_page() -> None:
    attack = "<script>document.title='taken'</script>|`x`\x1b[31m"
    when = datetime(2026, 1, 2, tzinfo=timezone.utc)
    origin = Origin(f"http://h/{attack}", 1, "ab" * 32, when, attack, attack, checked=attack, note=attack)
    image = CocoImage(id=1, file_name="1.jpg", width=8, height=8, extra={"license": 1})
    licences = ({"id": 1, "name": attack, "url": f"javascript:{attack}"},)
    tables = [
        origins_table({attack: origin}),
        licences_table(CocoDataset((image,), (), (), licenses=licences)),
    ]
    for table in tables:
        assert len(table.splitlines()) == 3
        assert len(re.findall(r"(?<!\\)\|", table.splitlines()[-1])) == table.splitlines()[0].count("|")
        assert not [sign for sign in ("<script", "\x1b", "(javascript:", "<javascript:") if sign in table]


def test_licences_are_counted_by_image() -> None:
    images = tuple(
        CocoImage(id=number, file_name=f"{number}.jpg", width=8, height=8, extra=extra)
        for number, extra in enumerate([{"license": 3}, {"license": 3}, {"license": 9}, {}])
    )
    licences = ({"id": 3, "name": "CC BY | 2.0", "url": "http://cc/by"}, {"id": 4, "name": "Public domain"})

    assert licences_table(CocoDataset(images, (), (), licenses=licences)).splitlines()[2:] == [
        r"| CC BY \| 2.0 | <http://cc/by> | 2 |",
        "| Public domain |  | 0 |",
        "| not stated |  | 2 |",
    ]


def test_the_contact_sheet_has_a_tile_per_image_and_survives_unreadable_ones(sample: tuple[CocoDataset, Path]) -> None:
    dataset, folder = sample
    broken = dataset.info["planted_defects"]["unreadable_image"][0]

    sheet = Image.open(io.BytesIO(contact_sheet(dataset, folder, count=12, columns=4, side=100))).convert("RGB")

    assert sheet.size == (400, 300)
    place = [image.id for image in dataset.images].index(broken)
    tile = sheet.crop((place % 4 * 100 + 20, place // 4 * 100 + 20, place % 4 * 100 + 80, place // 4 * 100 + 80))
    assert all(abs(low - 150) < 6 and abs(high - 150) < 6 for low, high in tile.getextrema())


def test_pictures_of_an_empty_dataset_can_be_made(tmp_path: Path) -> None:
    empty = CocoDataset((), (), ())

    assert Image.open(io.BytesIO(contact_sheet(empty, tmp_path, count=4))).size == (1600, 400)
    assert Image.open(io.BytesIO(class_chart(empty))).width > 100
    assert "| Annotations | 0 |" in counts_table(empty, files=0, left_out=0, missing=0)
