"""COCO datasets written in the formats that data_load reads: files by path, as their tools lay them out."""

import json
import xml.etree.ElementTree as ET
from collections.abc import Callable
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from sinara_lib.vision.coco import CocoAnnotation, CocoDataset, CocoImage
from tool_writers import (
    write_createml,
    write_hugging_face,
    write_kitti,
    write_labelme,
    write_labelme_xml,
    write_supervisely,
    write_via,
    write_via_csv,
)
from written_values import Files, class_name, csv_text, stem


def write_coco(dataset: CocoDataset) -> Files:
    images = [
        {"id": one.id, "file_name": one.file_name, "width": one.width, "height": one.height} for one in dataset.images
    ]
    annotations = [
        {
            "id": one.id,
            "image_id": one.image_id,
            "category_id": one.category_id,
            "bbox": list(one.bbox),
            "area": one.area,
            "iscrowd": one.iscrowd,
            **({"segmentation": one.segmentation} if one.segmentation else {}),
        }
        for one in dataset.annotations
    ]
    categories = [{"id": one.id, "name": one.name} for one in dataset.categories]
    document = {"images": images, "annotations": annotations, "categories": categories}
    return {"annotations/instances.json": json.dumps(document).encode()}


def write_voc(dataset: CocoDataset) -> Files:
    files = {}
    for image in dataset.images:
        root = ET.Element("annotation")
        ET.SubElement(root, "filename").text = image.file_name
        size = ET.SubElement(root, "size")
        for key, value in (("width", image.width), ("height", image.height), ("depth", 3)):
            ET.SubElement(size, key).text = str(value)
        for one in dataset.annotations_of(image.id):
            item = ET.SubElement(root, "object")
            ET.SubElement(item, "name").text = class_name(dataset, one)
            for key, value in one.extra.get("attributes", {}).items():
                ET.SubElement(item, key).text = str(value)
            box = ET.SubElement(item, "bndbox")
            x, y, width, height = one.bbox
            for key, edge in (("xmin", x), ("ymin", y), ("xmax", x + width), ("ymax", y + height)):
                ET.SubElement(box, key).text = repr(edge)
        files[f"Annotations/{stem(image)}.xml"] = ET.tostring(root, encoding="utf-8")
    return files


def write_yolo(dataset: CocoDataset) -> Files:
    names = list(dataset.class_names)
    files = {"data.yaml": yaml.safe_dump({"path": ".", "train": "images", "names": names}, allow_unicode=True).encode()}
    for image in dataset.images:
        lines = []
        for one in dataset.annotations_of(image.id):
            x, y, width, height = one.bbox
            values = [
                (x + width / 2) / image.width,
                (y + height / 2) / image.height,
                width / image.width,
                height / image.height,
            ]
            lines.append(" ".join(map(str, [names.index(class_name(dataset, one)), *values])))
        files[f"labels/{stem(image)}.txt"] = "\n".join(lines).encode()
    return files


def write_cvat(dataset: CocoDataset) -> Files:
    root = ET.Element("annotations")
    ET.SubElement(root, "version").text = "1.1"
    labels = ET.SubElement(ET.SubElement(ET.SubElement(root, "meta"), "task"), "labels")
    for name in dataset.class_names:
        ET.SubElement(ET.SubElement(labels, "label"), "name").text = name
    for image in dataset.images:
        sides = {"width": str(image.width), "height": str(image.height)}
        item = ET.SubElement(root, "image", {"id": str(image.id), "name": image.file_name, **sides})
        for one in dataset.annotations_of(image.id):
            _cvat_shape(item, one, class_name(dataset, one))
    return {"annotations.xml": ET.tostring(root, encoding="utf-8")}


def _cvat_shape(item: ET.Element, one: CocoAnnotation, label: str) -> None:
    flags = {key: str(value) for key, value in one.extra.get("attributes", {}).items()}
    if isinstance(one.segmentation, list) and len(one.segmentation) == 1:
        values = one.segmentation[0]
        points = ";".join(f"{x!r},{y!r}" for x, y in zip(values[::2], values[1::2], strict=True))
        ET.SubElement(item, "polygon", {"label": label, "points": points, **flags})
        return
    x, y, width, height = one.bbox
    edges = {"xtl": x, "ytl": y, "xbr": x + width, "ybr": y + height}
    ET.SubElement(item, "box", {"label": label, **{key: repr(value) for key, value in edges.items()}, **flags})


def write_label_studio(dataset: CocoDataset) -> Files:
    tasks = []
    for image in dataset.images:
        result = [_region(one, image, class_name(dataset, one)) for one in dataset.annotations_of(image.id)]
        annotation = {"id": image.id, "result": result, "was_cancelled": False}
        data = {"image": f"/data/local-files/?d=photos/{quote(image.file_name)}"}
        tasks.append({"id": image.id, "data": data, "annotations": [annotation], "predictions": []})
    return {"export.json": json.dumps(tasks).encode()}


def _region(one: CocoAnnotation, image: CocoImage, label: str) -> dict[str, Any]:
    sides = (image.width, image.height)
    if isinstance(one.segmentation, list) and len(one.segmentation) == 1:
        percent = [value * 100 / sides[place % 2] for place, value in enumerate(one.segmentation[0])]
        points = [list(pair) for pair in zip(percent[::2], percent[1::2], strict=True)]
        kind, value = "polygonlabels", {"points": points}
    else:
        numbers = [number * 100 / sides[place % 2] for place, number in enumerate(one.bbox)]
        kind, value = (
            "rectanglelabels",
            dict(zip(("x", "y", "width", "height"), numbers, strict=True)) | {"rotation": 0},
        )
    return {
        "type": kind,
        "original_width": image.width,
        "original_height": image.height,
        "image_rotation": 0,
        "value": {**value, kind: [label]},
    }


def write_open_images(dataset: CocoDataset) -> Files:
    codes = {name: f"/m/{place}" for place, name in enumerate(dataset.class_names)}
    header = ["ImageID", "Source", "LabelName", "Confidence", "XMin", "XMax", "YMin", "YMax"]
    flags = ["IsOccluded", "IsTruncated", "IsGroupOf", "IsDepiction", "IsInside"]
    rows: list[list[Any]] = [header + flags]
    for image in dataset.images:
        for one in dataset.annotations_of(image.id):
            x, y, width, height = one.bbox
            edges = [x / image.width, (x + width) / image.width, y / image.height, (y + height) / image.height]
            known = one.extra.get("attributes", {})
            told = [known.get("occluded", -1), known.get("truncated", -1), one.iscrowd, -1, -1]
            rows.append([stem(image), "xclick", codes[class_name(dataset, one)], 1, *edges, *told])
    images = [
        ["ImageID", "Subset", "OriginalURL", "License"],
        *([stem(one), "train", "", ""] for one in dataset.images),
    ]
    return {
        "train-annotations-bbox.csv": csv_text(rows),
        "class-descriptions.csv": csv_text([[code, name] for name, code in codes.items()]),
        "images.csv": csv_text(images),
    }


def table_columns(dataset: CocoDataset) -> dict[str, list[Any]]:
    """A row for each object, and one without label for an image that has none."""
    keys = ("image", "label", "x", "y", "width", "height", "image_width", "image_height", "iscrowd", "area")
    rows: list[tuple[Any, ...]] = []
    for image in dataset.images:
        sides = (image.width, image.height)
        found = dataset.annotations_of(image.id)
        rows += [(image.file_name, class_name(dataset, one), *one.bbox, *sides, one.iscrowd, one.area) for one in found]
        if not found:
            rows.append((image.file_name, None, None, None, None, None, *sides, None, None))
    return {key: [row[place] for row in rows] for place, key in enumerate(keys)}


def write_csv_table(dataset: CocoDataset) -> Files:
    columns = table_columns(dataset)
    return {"table.csv": csv_text([list(columns), *map(list, zip(*columns.values(), strict=True))])}


def write_parquet_table(dataset: CocoDataset) -> Files:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(table_columns(dataset)), sink)
    return {"table.parquet": sink.getvalue().to_pybytes()}


WRITERS: dict[str, Callable[[CocoDataset], Files]] = {
    "coco": write_coco,
    "voc": write_voc,
    "yolo": write_yolo,
    "cvat": write_cvat,
    "label_studio": write_label_studio,
    "open_images": write_open_images,
    "labelme": write_labelme,
    "labelme_xml": write_labelme_xml,
    "createml": write_createml,
    "via": write_via,
    "via (csv)": write_via_csv,
    "supervisely": write_supervisely,
    "kitti": write_kitti,
    "hugging_face": write_hugging_face,
    "table": write_csv_table,
    "table (parquet)": write_parquet_table,
}
