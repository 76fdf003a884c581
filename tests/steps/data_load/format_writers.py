"""COCO datasets written in the formats that data_load reads: files by path, as their tools lay them out."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from collections.abc import Callable, Sequence
from pathlib import PurePosixPath
from typing import Any
from urllib.parse import quote

import pyarrow as pa
import pyarrow.parquet as pq
import yaml

from sinara_lib.vision.coco import CocoAnnotation, CocoDataset, CocoImage

Files = dict[str, bytes]


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
            ET.SubElement(item, "name").text = _name(dataset, one)
            for key, value in one.extra.get("attributes", {}).items():
                ET.SubElement(item, key).text = str(value)
            box = ET.SubElement(item, "bndbox")
            x, y, width, height = one.bbox
            for key, edge in (("xmin", x), ("ymin", y), ("xmax", x + width), ("ymax", y + height)):
                ET.SubElement(box, key).text = repr(edge)
        files[f"Annotations/{_stem(image)}.xml"] = ET.tostring(root, encoding="utf-8")
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
            lines.append(" ".join(map(str, [names.index(_name(dataset, one)), *values])))
        files[f"labels/{_stem(image)}.txt"] = "\n".join(lines).encode()
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
            _cvat_shape(item, one, _name(dataset, one))
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
        result = [_region(one, image, _name(dataset, one)) for one in dataset.annotations_of(image.id)]
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
            rows.append([_stem(image), "xclick", codes[_name(dataset, one)], 1, *edges, *told])
    images = [
        ["ImageID", "Subset", "OriginalURL", "License"],
        *([_stem(one), "train", "", ""] for one in dataset.images),
    ]
    return {
        "train-annotations-bbox.csv": _csv(rows),
        "class-descriptions.csv": _csv([[code, name] for name, code in codes.items()]),
        "images.csv": _csv(images),
    }


def table_columns(dataset: CocoDataset) -> dict[str, list[Any]]:
    """A row for each object, and one without label for an image that has none."""
    keys = ("image", "label", "x", "y", "width", "height", "image_width", "image_height", "iscrowd", "area")
    rows: list[tuple[Any, ...]] = []
    for image in dataset.images:
        sides = (image.width, image.height)
        found = dataset.annotations_of(image.id)
        rows += [(image.file_name, _name(dataset, one), *one.bbox, *sides, one.iscrowd, one.area) for one in found]
        if not found:
            rows.append((image.file_name, None, None, None, None, None, *sides, None, None))
    return {key: [row[place] for row in rows] for place, key in enumerate(keys)}


def write_csv_table(dataset: CocoDataset) -> Files:
    columns = table_columns(dataset)
    return {"table.csv": _csv([list(columns), *map(list, zip(*columns.values(), strict=True))])}


def write_parquet_table(dataset: CocoDataset) -> Files:
    sink = pa.BufferOutputStream()
    pq.write_table(pa.table(table_columns(dataset)), sink)
    return {"table.parquet": sink.getvalue().to_pybytes()}


def write_labelme(dataset: CocoDataset) -> Files:
    files = {}
    for image in dataset.images:
        shapes = [_labelme_shape(one, _name(dataset, one)) for one in dataset.annotations_of(image.id)]
        sides = {"imageHeight": image.height, "imageWidth": image.width}
        content = {"version": "6.3.1", "flags": {}, "shapes": shapes, "imagePath": image.file_name, **sides}
        files[f"labels/{_stem(image)}.json"] = json.dumps(content).encode()
    return files


def _labelme_shape(one: CocoAnnotation, label: str) -> dict[str, Any]:
    x, y, width, height = one.bbox
    polygon = _polygon(one)
    kind, points = ("polygon", polygon) if polygon else ("rectangle", [[x, y], [x + width, y + height]])
    return {"label": label, "points": points, "group_id": None, "shape_type": kind, "flags": {}, "mask": None}


def write_labelme_xml(dataset: CocoDataset) -> Files:
    files = {}
    for image in dataset.images:
        root = ET.Element("annotation")
        ET.SubElement(root, "filename").text = image.file_name
        size = ET.SubElement(root, "imagesize")
        ET.SubElement(size, "nrows").text, ET.SubElement(size, "ncols").text = str(image.height), str(image.width)
        for one in dataset.annotations_of(image.id):
            item = ET.SubElement(root, "object")
            ET.SubElement(item, "name").text = _name(dataset, one)
            ET.SubElement(item, "deleted").text = "0"
            x, y, width, height = one.bbox
            points = _polygon(one)
            if points is None:
                ET.SubElement(item, "type").text = "bounding_box"
                points = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
            outline = ET.SubElement(item, "polygon")
            ET.SubElement(outline, "username")
            for point in points:
                corner = ET.SubElement(outline, "pt")
                ET.SubElement(corner, "x").text, ET.SubElement(corner, "y").text = map(repr, point)
        files[f"Annotations/{_stem(image)}.xml"] = ET.tostring(root, encoding="utf-8")
    return files


def write_createml(dataset: CocoDataset) -> Files:
    images = []
    for image in dataset.images:
        found = []
        for one in dataset.annotations_of(image.id):
            x, y, width, height = one.bbox
            box = {"x": x + width / 2, "y": y + height / 2, "width": width, "height": height}
            found.append({"label": _name(dataset, one), "coordinates": box})
        images.append({"image": image.file_name, "annotations": found})
    return {"_annotations.createml.json": json.dumps(images).encode()}


def write_via(dataset: CocoDataset) -> Files:
    images = {}
    for image in dataset.images:
        regions = [
            {"shape_attributes": _via_shape(one), "region_attributes": {"kind": _name(dataset, one)}}
            for one in dataset.annotations_of(image.id)
        ]
        known = {"filename": image.file_name, "size": 1, "regions": regions, "file_attributes": {}}
        images[f"{image.file_name}1"] = known
    project = {"_via_settings": {}, "_via_img_metadata": images, "_via_attributes": {"region": {}, "file": {}}}
    return {"via_project.json": json.dumps(project).encode()}


def _via_shape(one: CocoAnnotation) -> dict[str, Any]:
    if points := _polygon(one):
        xs, ys = ([point[axis] for point in points] for axis in (0, 1))
        return {"name": "polygon", "all_points_x": xs, "all_points_y": ys}
    return {"name": "rect", **dict(zip(("x", "y", "width", "height"), one.bbox, strict=True))}


def write_via_csv(dataset: CocoDataset) -> Files:
    header = ["filename", "file_size", "file_attributes", "region_count", "region_id", "region_shape_attributes"]
    rows: list[list[Any]] = [[*header, "region_attributes"]]
    for image in dataset.images:
        found = dataset.annotations_of(image.id)
        if not found:
            rows.append([image.file_name, 1, "{}", 0, 0, "{}", "{}"])
        for place, one in enumerate(found):
            cells = [json.dumps(_via_shape(one)), json.dumps({"kind": _name(dataset, one)})]
            rows.append([image.file_name, 1, "{}", len(found), place, *cells])
    return {"via.csv": _csv(rows)}


def write_supervisely(dataset: CocoDataset) -> Files:
    classes = [{"title": name, "shape": "any", "color": "#ff0000"} for name in dataset.class_names]
    files = {"meta.json": json.dumps({"classes": classes, "tags": []}).encode()}
    for image in dataset.images:
        objects = []
        for one in dataset.annotations_of(image.id):
            x, y, width, height = one.bbox
            points = _polygon(one)
            kind = "polygon" if points else "rectangle"
            corners = points or [[x, y], [x + width, y + height]]
            outline = {"exterior": corners, "interior": []}
            objects.append({"classTitle": _name(dataset, one), "geometryType": kind, "points": outline})
        size = {"height": image.height, "width": image.width}
        content = {"description": "", "tags": [], "size": size, "objects": objects}
        files[f"ds/ann/{image.file_name}.json"] = json.dumps(content).encode()
    return files


def write_kitti(dataset: CocoDataset) -> Files:
    files = {}
    for image in dataset.images:
        lines = []
        for one in dataset.annotations_of(image.id):
            x, y, width, height = one.bbox
            edges = " ".join(map(repr, (x, y, x + width, y + height)))
            lines.append(f"{_name(dataset, one)} 0 0 -10 {edges} -1 -1 -1 -1000 -1000 -1000 -10\n")
        # As the dataset itself says it: something is there, and nobody has looked at it.
        nothing = "DontCare -1 -1 -10 1 1 2 2 -1 -1 -1 -1000 -1000 -1000 -10\n"
        files[f"label_2/{_stem(image)}.txt"] = ("".join(lines) or nothing).encode()
    return files


def write_hugging_face(dataset: CocoDataset) -> Files:
    lines = []
    for image in dataset.images:
        found = dataset.annotations_of(image.id)
        objects = {"bbox": [list(one.bbox) for one in found], "category": [_name(dataset, one) for one in found]}
        known = {"area": [one.area for one in found], "iscrowd": [one.iscrowd for one in found]}
        sides = {"width": image.width, "height": image.height}
        lines.append(json.dumps({"file_name": image.file_name, **sides, "objects": {**objects, **known}}))
    return {"metadata.jsonl": "\n".join(lines).encode()}


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


def _polygon(one: CocoAnnotation) -> list[list[float]] | None:
    """The corners of an object that has one polygon."""
    if not (isinstance(one.segmentation, list) and len(one.segmentation) == 1):
        return None
    values = one.segmentation[0]
    return [[x, y] for x, y in zip(values[::2], values[1::2], strict=True)]


def _csv(rows: Sequence[Sequence[Any]]) -> bytes:
    buffer = io.StringIO(newline="")
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue().encode()


def _name(dataset: CocoDataset, one: CocoAnnotation) -> str:
    return dataset.class_names[dataset.category_ids.index(one.category_id)]


def _stem(image: CocoImage) -> str:
    return PurePosixPath(image.file_name).stem
