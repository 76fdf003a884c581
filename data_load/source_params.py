"""Parameters of one source: where its images and annotations are, and how they are to be read."""

import codecs
import re
from typing import Any, Literal

from pydantic import Field, create_model, field_validator, model_validator
from pydantic_core import PydanticCustomError

from scenes_url import parse_scenes_url
from sinara_lib.errors import LayoutError
from sinara_lib.params import UNREPEATED, ParamsModel
from sinara_lib.url_checks import checked_url, names_password
from sinara_lib.urls import without_credentials

Format = Literal[
    "coco",
    "voc",
    "yolo",
    "cvat",
    "label_studio",
    "open_images",
    "labelme",
    "labelme_xml",
    "createml",
    "via",
    "supervisely",
    "kitti",
    "hugging_face",
    "table",
]

SAMPLE_SCHEME = "sample:"
SHA256 = "^[0-9A-Fa-f]{64}$"
COLUMN_NAMES = {
    "image": ("image", "image_path", "image_url", "file_name", "filename", "path"),
    "label": ("label", "label_name", "class", "class_name", "category", "category_name"),
    "x": ("x", "left"),
    "y": ("y", "top"),
    "width": ("width", "w", "box_width"),
    "height": ("height", "h", "box_height"),
    "xmin": ("xmin", "x_min", "x1"),
    "ymin": ("ymin", "y_min", "y1"),
    "xmax": ("xmax", "x_max", "x2"),
    "ymax": ("ymax", "y_max", "y2"),
    "image_width": ("image_width",),
    "image_height": ("image_height",),
    "iscrowd": ("iscrowd",),
    "area": ("area",),
    "group": ("group",),
}
"""What a column of a table holds, and by which names it is known where none is given."""

# SQLAlchemy's `dialect` or `dialect+driver`; of what looks alike these are no databases.
_DATABASE = re.compile(r"(?P<dialect>[A-Za-z][A-Za-z0-9_]+)(\+[A-Za-z0-9_]+)?://")
_FILES = frozenset({"http", "https", "file", "s3", "gs", "gcs", "sample"})


def _columns() -> dict[str, Any]:
    return {
        name: (str | None, Field(default=None, description=f"Else one of {', '.join(f'`{one}`' for one in names)}."))
        for name, names in COLUMN_NAMES.items()
    }


TableColumns = create_model("TableColumns", __base__=ParamsModel, **_columns())


class FrameParams(ParamsModel):
    """Which frames of a video become images: one of the three is given."""

    every: int | None = Field(default=None, ge=1)
    """Every N-th frame, the first included: `{"every": 10}`."""
    per_second: float | None = Field(default=None, gt=0, le=1000)
    """The first frame of each interval of 1/N seconds, by the frames' own times: `{"per_second": 2}`."""
    scene_change: float | None = Field(default=None, gt=0, le=255)
    """The first frame of each scene: where hue, saturation and brightness change by more than this on average:
    `{"scene_change": 27}`."""

    @model_validator(mode="after")
    def _one_rule(self) -> "FrameParams":
        if sum(value is not None for value in (self.every, self.per_second, self.scene_change)) != 1:
            raise ValueError("give exactly one of every, per_second and scene_change")
        return self


class SourceFields(ParamsModel):
    """One source: where its images and annotations are, and how the annotations are to be read.

    A URL is http(s), s3, gs, file: or a plain path: of a zip or tar archive, of a folder, or of a file. With one of the
    two URLs alone it brings both, or the annotations name images by their own URLs and paths.
    """

    images_url: str | list[str] | None = None
    """A URL or path, or a list of them: of a zip, tar, tar.gz, a folder, an image or a video; or `sample://scenes?...`.
    A relative path starts at the step's folder, in prod at that folder as it is committed."""
    annotations_url: str | list[str] | None = None
    """The same, of files in one of the formats below, or a database; `null`: they lie in the same place as the
    images."""
    images_sha256: str | None = Field(default=None, pattern=SHA256)
    """Refuse a download with another checksum, 64 hexadecimal digits."""
    annotations_sha256: str | None = Field(default=None, pattern=SHA256)
    """The same, of the annotations."""
    annotations_member: str | None = Field(default=None, min_length=1)
    """Which file or folder of the archive or folder counts; `null`: all, of COCO the only one."""
    format: Format | None = None
    """`null`: detected, and printed."""
    query: str | None = None
    """With a database as `annotations_url`: the SELECT that gives the table."""
    columns: TableColumns = TableColumns()
    """Which column of a table holds what, such as `{"label": "kind"}`, where it has none of the usual names;
    of VIA, which attribute is the class."""
    relative_boxes: bool = False
    """Whether the boxes of a table are shares of the image's sides (0 to 1)."""
    frames: FrameParams | None = None
    """Which frames of videos become images; needed where there are videos."""
    names_coding: str | None = None
    """How names in archives are coded that do not say it, such as `gbk`, `shift_jis` or `cp866`; `null`: UTF-8, else
    what they look like, which is printed."""
    always_changed: bool = False
    """The source is labelled elsewhere: a run that finds all sources as they were publishes nothing."""

    @field_validator("images_url", "annotations_url", mode="before")
    @classmethod
    def _urls(cls, value: object) -> object:
        if value is None or isinstance(value, str):
            return value and parsed_url(value)
        if isinstance(value, list) and value and all(isinstance(one, str) for one in value):
            return [parsed_url(one) for one in value]
        raise PydanticCustomError("urls", "should be a string, or a list of strings that is not empty")

    @field_validator("names_coding")
    @classmethod
    def _coding(cls, value: str | None) -> str | None:
        try:
            return value and codecs.lookup(value).name
        except LookupError:
            raise PydanticCustomError("coding", "no such coding; say gbk, shift_jis, cp866 or the like") from None

    @property
    def is_sample(self) -> bool:
        """Whether the images are drawn here."""
        return isinstance(self.images_url, str) and self.images_url.startswith(SAMPLE_SCHEME)

    @property
    def is_query(self) -> bool:
        """Whether the annotations are rows of a database."""
        return isinstance(self.annotations_url, str) and is_database(self.annotations_url)

    @property
    def images_urls(self) -> list[str]:
        """The URLs of the images."""
        return _listed(self.images_url)

    @property
    def annotations_urls(self) -> list[str]:
        """The URLs of the annotations."""
        return _listed(self.annotations_url)

    @property
    def given_columns(self) -> dict[str, str]:
        """The columns that are named."""
        return {key: name for key, name in self.columns.model_dump().items() if name is not None}

    def shown_urls(self) -> dict[str, str]:
        """Return each URL as it may be recorded, under a name."""
        found: dict[str, str] = {}
        for role, urls in (("images", self.images_urls), ("annotations", self.annotations_urls)):
            for number, url in enumerate(urls, start=1):
                found[role if number == 1 else f"{role}_{number}"] = shown_url(url)
        return found

    def _given(self) -> list[str]:
        """Return the fields of a source that say something."""
        return [name for name, field in SourceFields.model_fields.items() if getattr(self, name) != field.get_default()]

    def _check(self) -> None:
        """Raise ValueError for what does not go together."""
        if not self.images_urls and not self.annotations_urls:
            raise ValueError("images_url or annotations_url is needed")
        for role, urls in (("images", self.images_urls), ("annotations", self.annotations_urls)):
            if len(urls) != 1 and getattr(self, f"{role}_sha256"):
                raise ValueError(f"{role}_sha256 belongs to one URL; {role}_url has {len(urls)}")
            for url in urls:
                _check_url(url, f"{role}_url", lone=len(urls) == 1)
        if self.always_changed and (self.is_sample or self.images_sha256 or self.annotations_sha256):
            raise ValueError("always_changed contradicts a sha256 and the built-in sample, which never change")
        if self.is_sample and (given := [name for name in self._given() if name != "images_url"]):
            raise ValueError(
                f"{', '.join(given)} must be null with the built-in sample, which brings its own annotations"
            )
        if self.is_query != (self.query is not None):
            raise ValueError("query and a database as annotations_url belong together")
        if self.is_query and self.format not in {None, "table"}:
            raise ValueError(f"a database is a table; format says {self.format}")


class SourceParams(SourceFields):
    """One of several sources."""

    @model_validator(mode="after")
    def _checked(self) -> "SourceParams":
        self._check()
        return self


def shown_url(url: str) -> str:
    """Return a URL as its origin is recorded: of the sample with every value spelled out, else without its password."""
    return parse_scenes_url(url).url if url.startswith(SAMPLE_SCHEME) else without_credentials(url)


def is_database(url: str) -> bool:
    """Return whether a URL is one of SQLAlchemy's."""
    found = _DATABASE.match(url)
    return found is not None and found["dialect"].lower() not in _FILES


def parsed_url(text: str) -> str:
    """Return a URL as it is used below this door. Raises an error that does not repeat one that cannot be read."""
    try:
        return checked_url(text)
    except LayoutError as error:
        raise PydanticCustomError(UNREPEATED, "{reason}", {"reason": str(error)}) from None


def _listed(urls: str | list[str] | None) -> list[str]:
    return [urls] if isinstance(urls, str) else list(urls or [])


def _check_url(url: str, name: str, *, lone: bool) -> None:
    if not url.strip():
        raise ValueError(f"{name} is an empty text; use null for none")
    if url.startswith(SAMPLE_SCHEME) and (name != "images_url" or not lone):
        raise ValueError(f"{name}: the built-in sample is a source of its own, the one images_url of it")
    if not is_database(url):
        return
    if name == "images_url" or not lone:
        raise ValueError(f"{name}: a database can only be the one annotations_url")
    if names_password(url):
        raise ValueError(f"{name}: leave the password out; it is read from SINARA_SQL_PASSWORD")
