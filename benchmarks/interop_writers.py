"""Writers of other tools, each run by a Python that has its tool: a COCO document and its images, written once more.

    python benchmarks/interop_writers.py TOOL FORMAT DOCUMENT IMAGES FOLDER

The work is the tool's own: only where a tool has no writer of whole datasets are its writers of one file called here,
image by image. Not all of them copy the images.
"""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

# The tools are not part of this project: each is imported where its environment has it.


def datumaro(format_name: str, document: Path, images: Path, folder: Path) -> None:
    """Write by datumaro's exporters, which copy the images too."""
    import datumaro

    layout = folder / "read"
    (layout / "annotations").mkdir(parents=True)
    (layout / "images").mkdir()
    (layout / "images" / "val2017").symlink_to(images)
    (layout / "annotations" / "instances_val2017.json").symlink_to(document)
    dataset = datumaro.Dataset.import_from(str(layout), "coco_instances")
    if format_name == "cvat":
        # It would write the box and every polygon of an object as shapes of their own.
        dataset.filter("/item/annotation[type='bbox']", filter_annotations=True)
    dataset.export(str(folder / "written"), format_name, save_media=True)


def supervision(format_name: str, document: Path, images: Path, folder: Path) -> None:
    """Write by the exporters of supervision's DetectionDataset."""
    from supervision import DetectionDataset

    # With polygons it would write every polygon of an object as a line of its own.
    content = json.loads(document.read_text())
    for one in content["annotations"]:
        one.pop("segmentation", None)
    boxes = folder / "boxes.json"
    boxes.write_text(json.dumps(content))
    dataset = DetectionDataset.from_coco(str(images), str(boxes))
    to, labels = folder / "written", str(folder / "written" / "labels")
    (to / "images").mkdir(parents=True)
    if format_name == "coco":
        dataset.as_coco(str(to / "images"), str(to / "labels.json"))
    elif format_name == "yolo":
        dataset.as_yolo(str(to / "images"), labels, str(to / "data.yaml"))
    else:
        dataset.as_pascal_voc(str(to / "images"), labels)


def globox(format_name: str, document: Path, images: Path, folder: Path) -> None:
    """Write by globox, which writes annotations alone."""
    from globox import AnnotationSet

    found = AnnotationSet.from_coco(document)
    to = folder / "written"
    to.mkdir(parents=True)
    if format_name == "cvat":
        found.save_cvat(to / "annotations.xml")
    elif format_name == "labelme":
        found.save_labelme(to / "labels")
    elif format_name == "via":
        found.save_via_json(to / "via.json", image_folder=images)
    elif format_name == "voc":
        found.save_pascal_voc(to / "labels")
    else:
        found.save_openimage(to / "boxes.csv")


def labelme(format_name: str, document: Path, images: Path, folder: Path) -> None:
    """Write by labelme's own writer of one file, pictures inside, as the tool saves them."""
    from labelme import _label_file

    (folder / "written").mkdir(parents=True)
    for image, objects in _by_image(document):
        shapes = [
            {
                "label": label,
                "points": [[x, y], [x + width, y + height]],
                "group_id": None,
                "description": "",
                "shape_type": "rectangle",
                "flags": {},
                "mask": None,
            }
            for label, (x, y, width, height) in objects
        ]
        _label_file.write_label_file(
            str(folder / "written" / f"{Path(image['file_name']).stem}.json"),
            shapes=shapes,
            image_path=image["file_name"],
            image_height=image["height"],
            image_width=image["width"],
            image_data=(images / image["file_name"]).read_bytes(),
        )


def labelimg(format_name: str, document: Path, images: Path, folder: Path) -> None:
    """Write CreateML by labelImg's own writer."""
    from libs.create_ml_io import CreateMLWriter

    to = folder / "written"
    to.mkdir(parents=True)
    for image, objects in _by_image(document):
        shapes = [
            {"label": label, "points": [(x, y), (x + width, y), (x + width, y + height), (x, y + height)]}
            for label, (x, y, width, height) in objects
        ]
        CreateMLWriter(to.name, image["file_name"], None, shapes, str(to / "labels.json")).write()


def datasets(format_name: str, document: Path, images: Path, folder: Path) -> None:
    """Write parquet by Hugging Face's datasets, bytes of the pictures inside, classes in the features."""
    from datasets import ClassLabel, Dataset, Features, Image, Sequence, Value

    (folder / "written").mkdir(parents=True)
    names = [one["name"] for one in json.loads(document.read_text())["categories"]]
    inner = {"bbox": Sequence(Value("float64"), length=4), "category": ClassLabel(names=names)}
    features = Features({"image": Image(), "width": Value("int32"), "height": Value("int32"), "objects": [inner]})
    rows = [
        {
            "image": {"bytes": (images / image["file_name"]).read_bytes(), "path": image["file_name"]},
            "width": image["width"],
            "height": image["height"],
            "objects": [{"bbox": box, "category": names.index(label)} for label, box in objects],
        }
        for image, objects in _by_image(document)
    ]
    Dataset.from_list(rows, features=features).to_parquet(str(folder / "written" / "train-00000-of-00001.parquet"))


def supervisely(format_name: str, document: Path, images: Path, folder: Path) -> None:
    """Write a project folder by Supervisely's SDK."""
    import supervisely as sly

    names = [one["name"] for one in json.loads(document.read_text())["categories"]]
    classes = {name: sly.ObjClass(name, sly.Rectangle) for name in names}
    project = sly.Project(str(folder / "written"), sly.OpenMode.CREATE)
    project.set_meta(sly.ProjectMeta(obj_classes=list(classes.values())))
    dataset = project.create_dataset("val2017")
    for image, objects in _by_image(document):
        labels = [
            sly.Label(sly.Rectangle(*map(round, (y, x, y + height, x + width))), classes[label])
            for label, (x, y, width, height) in objects
        ]
        found = sly.Annotation((image["height"], image["width"]), labels)
        dataset.add_item_file(image["file_name"], str(images / image["file_name"]), ann=found)


def _by_image(document: Path) -> list[tuple[dict[str, Any], list[tuple[str, list[float]]]]]:
    """Each image record with the names and boxes of its objects."""
    content = json.loads(document.read_text())
    names = {one["id"]: one["name"] for one in content["categories"]}
    objects: dict[int, list[tuple[str, list[float]]]] = {}
    for one in content["annotations"]:
        objects.setdefault(one["image_id"], []).append((names[one["category_id"]], one["bbox"]))
    return [(image, objects.get(image["id"], [])) for image in content["images"]]


WRITERS: dict[str, Callable[[str, Path, Path, Path], None]] = {
    "datumaro": datumaro,
    "supervision": supervision,
    "globox": globox,
    "labelme": labelme,
    "labelImg": labelimg,
    "datasets": datasets,
    "supervisely": supervisely,
}

if __name__ == "__main__":
    WRITERS[sys.argv[1]](sys.argv[2], *map(Path, sys.argv[3:6]))
