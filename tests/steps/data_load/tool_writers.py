"""COCO datasets written in the formats of annotation tools and hubs: files by path, as their tools lay them out."""

import json
import xml.etree.ElementTree as ET
from typing import Any

from sinara_lib.vision.coco import CocoAnnotation, CocoDataset
from written_values import Files, class_name, csv_text, polygon_of, stem


def write_labelme(dataset: CocoDataset) -> Files:
    files = {}
    for image in dataset.images:
        shapes = [_labelme_shape(one, class_name(dataset, one)) for one in dataset.annotations_of(image.id)]
        sides = {"imageHeight": image.height, "imageWidth": image.width}
        content = {"version": "6.3.1", "flags": {}, "shapes": shapes, "imagePath": image.file_name, **sides}
        files[f"labels/{stem(image)}.json"] = json.dumps(content).encode()
    return files


def _labelme_shape(one: CocoAnnotation, label: str) -> dict[str, Any]:
    x, y, width, height = one.bbox
    polygon = polygon_of(one)
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
            ET.SubElement(item, "name").text = class_name(dataset, one)
            ET.SubElement(item, "deleted").text = "0"
            x, y, width, height = one.bbox
            points = polygon_of(one)
            if points is None:
                ET.SubElement(item, "type").text = "bounding_box"
                points = [[x, y], [x + width, y], [x + width, y + height], [x, y + height]]
            polygon = ET.SubElement(item, "polygon")
            ET.SubElement(polygon, "username")
            for point in points:
                corner = ET.SubElement(polygon, "pt")
                ET.SubElement(corner, "x").text, ET.SubElement(corner, "y").text = map(repr, point)
        files[f"Annotations/{stem(image)}.xml"] = ET.tostring(root, encoding="utf-8")
    return files


def write_createml(dataset: CocoDataset) -> Files:
    images = []
    for image in dataset.images:
        found = []
        for one in dataset.annotations_of(image.id):
            x, y, width, height = one.bbox
            box = {"x": x + width / 2, "y": y + height / 2, "width": width, "height": height}
            found.append({"label": class_name(dataset, one), "coordinates": box})
        images.append({"image": image.file_name, "annotations": found})
    return {"_annotations.createml.json": json.dumps(images).encode()}


def write_via(dataset: CocoDataset) -> Files:
    images = {}
    for image in dataset.images:
        regions = [
            {"shape_attributes": _via_shape(one), "region_attributes": {"kind": class_name(dataset, one)}}
            for one in dataset.annotations_of(image.id)
        ]
        known = {"filename": image.file_name, "size": 1, "regions": regions, "file_attributes": {}}
        images[f"{image.file_name}1"] = known
    project = {"_via_settings": {}, "_via_img_metadata": images, "_via_attributes": {"region": {}, "file": {}}}
    return {"via_project.json": json.dumps(project).encode()}


def _via_shape(one: CocoAnnotation) -> dict[str, Any]:
    if points := polygon_of(one):
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
            cells = [json.dumps(_via_shape(one)), json.dumps({"kind": class_name(dataset, one)})]
            rows.append([image.file_name, 1, "{}", len(found), place, *cells])
    return {"via.csv": csv_text(rows)}


def write_supervisely(dataset: CocoDataset) -> Files:
    classes = [{"title": name, "shape": "any", "color": "#ff0000"} for name in dataset.class_names]
    files = {"meta.json": json.dumps({"classes": classes, "tags": []}).encode()}
    for image in dataset.images:
        objects = []
        for one in dataset.annotations_of(image.id):
            x, y, width, height = one.bbox
            points = polygon_of(one)
            kind = "polygon" if points else "rectangle"
            corners = points or [[x, y], [x + width, y + height]]
            points = {"exterior": corners, "interior": []}
            objects.append({"classTitle": class_name(dataset, one), "geometryType": kind, "points": points})
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
            lines.append(f"{class_name(dataset, one)} 0 0 -10 {edges} -1 -1 -1 -1000 -1000 -1000 -10\n")
        # As the dataset itself says it: something is there, and nobody has looked at it.
        nothing = "DontCare -1 -1 -10 1 1 2 2 -1 -1 -1 -1000 -1000 -1000 -10\n"
        files[f"label_2/{stem(image)}.txt"] = ("".join(lines) or nothing).encode()
    return files


def write_hugging_face(dataset: CocoDataset) -> Files:
    lines = []
    for image in dataset.images:
        found = dataset.annotations_of(image.id)
        objects = {"bbox": [list(one.bbox) for one in found], "category": [class_name(dataset, one) for one in found]}
        known = {"area": [one.area for one in found], "iscrowd": [one.iscrowd for one in found]}
        sides = {"width": image.width, "height": image.height}
        lines.append(json.dumps({"file_name": image.file_name, **sides, "objects": {**objects, **known}}))
    return {"metadata.jsonl": "\n".join(lines).encode()}
