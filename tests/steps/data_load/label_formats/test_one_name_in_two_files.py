"""What two label files call alike is one image only where it is one file; a name in another spelling finds its file."""

from pathlib import Path

import pytest
from PIL import Image

from coco_fetch import Loaded, fetch_dataset
from fetch_params import FetchParams
from sinara_lib.errors import DataError

HEADER = "image,label,x,y,width,height,group\n"


def load(folder: Path, labels: dict[str, str], *images: str) -> Loaded:
    for name in images:
        (folder / "in" / name).parent.mkdir(parents=True, exist_ok=True)
        Image.new("RGB", (64, 48)).save(folder / "in" / name, "JPEG")
    for name, text in labels.items():
        (folder / "in" / name).write_text(text)
    return fetch_dataset(FetchParams(images_url=str(folder / "in")), folder / "work")


def labels_of(loaded: Loaded) -> dict[str, list[str]]:
    names = {one.id: one.name for one in loaded.dataset.categories}
    return {
        image.file_name: [names[one.category_id] for one in loaded.dataset.annotations_of(image.id)]
        for image in loaded.dataset.images
    }


def cvat(label: str) -> str:
    box = f'<box label="{label}" xtl="1" ytl="2" xbr="10" ybr="12"/>'
    return f'<annotations><image id="0" name="1.jpg" width="64" height="48">{box}</image></annotations>'


@pytest.mark.parametrize(
    ("name", "day", "night"),
    [
        ("t.csv", f"{HEADER}1.jpg,car,1,2,3,4,\n", f"{HEADER}1.jpg,bus,1,2,3,4,\n"),
        ("annotations.xml", cvat("car"), cvat("bus")),
    ],
)
def test_files_in_two_folders_mean_the_images_beside_them(name: str, day: str, night: str, tmp_path: Path) -> None:
    loaded = load(tmp_path, {f"day/{name}": day, f"night/{name}": night}, "day/1.jpg", "night/1.jpg")

    assert labels_of(loaded) == {"day__1.jpg": ["car"], "night__1.jpg": ["bus"]}


def test_two_parts_of_one_table_tell_of_one_image_together(tmp_path: Path) -> None:
    parts = {"a.csv": f"{HEADER}1.jpg,car,1,2,3,4,x\n", "b.csv": f"{HEADER}1.jpg,bus,1,2,3,4,\n2.jpg,,,,,,\n"}
    loaded = load(tmp_path, parts, "images/1.jpg", "images/2.jpg")

    assert labels_of(loaded) == {"1.jpg": ["car", "bus"], "2.jpg": []}
    assert [one.extra for one in loaded.dataset.images] == [{"group": "x"}, {}]
    assert (loaded.sources[0].tally.found, loaded.sources[0].tally.taken) == (2, 2)


def test_two_parts_of_one_table_that_contradict_each_other_are_refused(tmp_path: Path) -> None:
    parts = {"a.csv": f"{HEADER}1.jpg,car,1,2,3,4,x\n", "b.csv": f"{HEADER}1.jpg,bus,1,2,3,4,y\n"}

    with pytest.raises(DataError, match=r"b\.csv: group of 1\.jpg is 'y'; a\.csv says 'x'"):
        load(tmp_path, parts, "1.jpg")


def test_a_name_in_another_unicode_form_or_case_finds_its_file_in_any_format(tmp_path: Path) -> None:
    table = f"{HEADER}Gro\u0308\u00dfe.jpg,car,1,2,3,4,\nTWO.JPG,bus,1,2,3,4,\n"
    loaded = load(tmp_path, {"t.csv": table}, "Größe.jpg", "two.jpg")

    assert (labels_of(loaded), loaded.missing) == ({"Größe.jpg": ["car"], "two.jpg": ["bus"]}, [])
    assert loaded.sources[0].tally.notes == {"images found under a name that is spelled otherwise": 2}


@pytest.mark.parametrize(
    ("name", "text", "format_name"),
    [
        ("1.json", '{"info": {}, "categories": {}, "items": []}', "Datumaro JSON"),
        ("1.json", '{"version": "2.0", "item": {"name": "1.jpg"}, "annotations": []}', "Darwin JSON"),
        ("1.json", '{"asset": {}, "regions": []}', "VoTT JSON"),
        ("1.json", '{"type": "FeatureCollection", "features": []}', "GeoJSON"),
    ],
)
def test_formats_that_are_not_read_are_refused_by_name(name: str, text: str, format_name: str, tmp_path: Path) -> None:
    with pytest.raises(DataError, match=rf"holds {format_name} \({name}\), which is not read"):
        load(tmp_path, {name: text}, "1.jpg")


def test_half_of_the_annotations_in_a_format_that_is_not_read_is_no_small_thing(tmp_path: Path) -> None:
    labels = {"t.csv": f"{HEADER}1.jpg,car,1,2,3,4,\n", "2.json": '{"asset": {}, "regions": []}'}

    with pytest.raises(DataError, match=r"several formats: a table \(t\.csv\), VoTT JSON \(2\.json\)"):
        load(tmp_path, labels, "1.jpg", "2.jpg")
