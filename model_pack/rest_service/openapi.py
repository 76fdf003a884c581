"""The description of the service at /docs.json: OpenAPI 3.0, true to the routes."""

from __future__ import annotations

from typing import Any

from rest_service.image_size import MEDIA_TYPES
from rest_service.settings import ServiceSettings

Document = dict[str, Any]
_CLASSES = (
    "Keep these: names or ids of /categories. Repeat it, or separate by commas; a value that is a class's whole name "
    'means that class, commas and all. A JSON list tells names from ids: ["7", "a, b", 7].'
)
_NUMBER: Document = {"type": "number"}
_TEXT: Document = {"type": "string"}
_WHOLE: Document = {"type": "integer"}


def openapi_document(*, version: str, min_score: float, settings: ServiceSettings) -> Document:
    """Return the OpenAPI document of this version of the service; `min_score` is the packed threshold."""
    document: Document = {
        "openapi": "3.0.3",
        "info": {"title": "Object detector", "version": version, "description": "Detects objects in images."},
        "servers": [{"url": "."}],
        "paths": _paths(settings, min_score=min_score),
        "components": {"schemas": _schemas(), "responses": _responses()},
    }
    if settings.token:
        document["components"]["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
        document["security"] = [{"bearer": []}]
    return document


def _paths(settings: ServiceSettings, *, min_score: float) -> Document:
    options = _parameters(min_score)
    batch = {"type": "array", "items": {"type": "string", "format": "binary"}, "maxItems": settings.batch}
    paths: Document = {
        "/predict": {"post": _posted("Detect the objects of one image", options, _one_image(), _json("Answer"))},
        "/predict_image": {
            "post": _posted(
                "The picture with its objects drawn", options, _one_image(), _file("image/jpeg", "image/png")
            )
        },
        "/predict_batch": {
            "post": _posted(
                "Detect the objects of several images; answers come in order, an unreadable image has an error there",
                options,
                {"multipart/form-data": {"schema": _form("images", batch)}},
                _json("Batch"),
            )
        },
    }
    reads = {
        "test_data": ("The packed image", _file(*MEDIA_TYPES)),
        "test_result": ("What /predict must answer for the packed image", _json("Answer")),
        "service_version": ("Versions, and the execution provider in use", _json("Version")),
        "categories": ("The classes", _json("Categories")),
    }
    for name, (summary, content) in reads.items():
        paths[f"/{name}"] = {method: _read(f"{method}_{name}", summary, content) for method in ("get", "post")}
    probes = {"healthz": "The process lives", "livez": "The process lives", "readyz": "Predictions are answered"}
    for name, summary in probes.items():
        paths[f"/{name}"] = {"get": _read(name, summary, _file("text/plain"))}
    paths["/readyz"]["get"]["responses"]["503"] = _reference("responses", "Error")
    paths["/metrics"] = {"get": _read("metrics", "Counts and times for Prometheus", _file("text/plain"))}
    paths["/docs.json"] = {"get": _read("docs", "This document", {"application/json": {"schema": {"type": "object"}}})}
    paths["/"] = {"get": _read("page", "The page for people", _file("text/html"))}
    return paths


def _posted(summary: str, parameters: list[Document], content: Document, answer: Document) -> Document:
    errors = {status: _reference("responses", "Error") for status in ("400", "408", "413", "415", "503", "504")}
    return {
        "summary": summary,
        "parameters": parameters,
        "requestBody": {"required": True, "content": content},
        "responses": {
            "200": {"description": summary, "content": answer},
            **errors,
            "429": _reference("responses", "Overloaded"),
            "default": _reference("responses", "Error"),
        },
    }


def _read(operation: str, summary: str, content: Document) -> Document:
    return {
        "operationId": operation,
        "summary": summary,
        "responses": {
            "200": {"description": summary, "content": content},
            "default": _reference("responses", "Error"),
        },
    }


def _parameters(min_score: float) -> list[Document]:
    score = {"type": "number", "minimum": 0, "maximum": 1}
    classes = {"type": "array", "items": {"type": "string", "minLength": 1}, "minItems": 1}
    return [
        _parameter("min_score", {**score, "default": min_score}, "Leave out what is scored below it"),
        _parameter("max_detections", {"type": "integer", "minimum": 1, "maximum": 999999999}, "Keep the best"),
        {**_parameter("classes", classes, _CLASSES), "explode": True},
        _parameter("file_name", {"type": "string"}, "Repeated in the answer"),
    ]


def _parameter(name: str, schema: Document, description: str) -> Document:
    return {"name": name, "in": "query", "required": False, "schema": schema, "description": description}


def _one_image() -> Document:
    binary = {"type": "string", "format": "binary"}
    bodies = {kind: {"schema": binary} for kind in (*MEDIA_TYPES, "application/octet-stream")}
    return {"multipart/form-data": {"schema": _form("image", binary)}, **bodies}


def _form(name: str, schema: Document) -> Document:
    return {"type": "object", "properties": {name: schema}, "required": [name]}


def _schemas() -> Document:
    annotation = {
        "id": _WHOLE,
        "image_id": _WHOLE,
        "category_id": _WHOLE,
        "category_name": _TEXT,
        "bbox": {
            "type": "array",
            "items": _NUMBER,
            "minItems": 4,
            "maxItems": 4,
            "description": "x, y, width, height in pixels of the image as uploaded, turned upright",
        },
        "score": {"type": "number", "minimum": 0, "maximum": 1},
        "area": _NUMBER,
    }
    answer = {
        "file_name": _TEXT,
        "width": _WHOLE,
        "height": _WHOLE,
        "annotations": {"type": "array", "items": _reference("schemas", "Annotation")},
        "categories": _reference("schemas", "Categories"),
        "service_version": _TEXT,
        "model_run": _TEXT,
    }
    failed = _object({"file_name": _TEXT, "error": _reference("schemas", "ErrorText")})
    either = {"anyOf": [_reference("schemas", "Answer"), failed]}
    version = ("service_version", "model_name", "model_run", "dataset_run", "execution_provider")
    return {
        "Annotation": _object(annotation),
        "Answer": _object(answer),
        "Batch": _object({"results": {"type": "array", "items": either}}),
        "Categories": {"type": "array", "items": _object({"id": _WHOLE, "name": _TEXT})},
        "Version": _object(dict.fromkeys(version, _TEXT)),
        "ErrorText": _object({"code": _TEXT, "message": _TEXT}),
        "Error": _object({"error": _reference("schemas", "ErrorText")}),
    }


def _responses() -> Document:
    retry = {"Retry-After": {"schema": _WHOLE, "description": "Seconds after which to try again"}}
    return {
        "Error": {"description": "What is wrong", "content": _json("Error")},
        "Overloaded": {"description": "No room now", "headers": retry, "content": _json("Error")},
    }


def _object(properties: Document) -> Document:
    return {"type": "object", "properties": properties, "required": list(properties)}


def _json(schema: str) -> Document:
    return {"application/json": {"schema": _reference("schemas", schema)}}


def _file(*kinds: str) -> Document:
    return {kind: {"schema": {"type": "string", "format": "binary"}} for kind in kinds}


def _reference(kind: str, name: str) -> Document:
    return {"$ref": f"#/components/{kind}/{name}"}
