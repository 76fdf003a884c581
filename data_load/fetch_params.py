"""Parameters of data_load.ipynb."""

import re
from dataclasses import replace
from typing import Literal
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from data_sources.extract import Limits
from data_sources.frames import FrameParams
from label_formats.detection import Format
from sample_scenes.sample import parse_scenes_url
from sinara_lib.downloads.download import RetryPolicy
from sinara_lib.downloads.fetching import FetchOptions
from sinara_lib.params import ParamsModel
from sinara_lib.urls import without_credentials

SAMPLE_SCHEME = "sample:"
SHA256 = "^[0-9A-Fa-f]{64}$"
# SQLAlchemy's `dialect` or `dialect+driver`; of what looks alike these are no databases.
_DATABASE = re.compile(r"(?P<dialect>[A-Za-z][A-Za-z0-9_]+)(\+[A-Za-z0-9_]+)?://")
_FILES = frozenset({"http", "https", "file", "s3", "gs", "gcs", "sample"})


class TableColumns(ParamsModel):
    """Which column of a table holds what; those left out are found by their usual names."""

    image: str | None = None
    label: str | None = None
    x: str | None = None
    y: str | None = None
    width: str | None = None
    height: str | None = None
    xmin: str | None = None
    ymin: str | None = None
    xmax: str | None = None
    ymax: str | None = None
    image_width: str | None = None
    image_height: str | None = None
    iscrowd: str | None = None
    area: str | None = None
    group: str | None = None


class SourceFields(ParamsModel):
    """One source: where its images and annotations are, and how the annotations are to be read.

    A URL is http(s), s3, gs, file: or a plain path: of a zip or tar archive, of a folder, or of a file. With one of the
    two URLs alone it brings both, or the annotations name images by their own URLs and paths.
    """

    images_url: str | list[str] | None = None
    images_sha256: str | None = Field(default=None, pattern=SHA256)
    annotations_url: str | list[str] | None = None
    annotations_sha256: str | None = Field(default=None, pattern=SHA256)
    annotations_member: str | None = Field(default=None, min_length=1)
    """Path of the file or folder inside the archive or folder; not needed when there is only one."""
    format: Format | None = None
    """Null: detected."""
    query: str | None = None
    """For a database as annotations_url: the SELECT that gives the table."""
    columns: TableColumns = TableColumns()
    relative_boxes: bool = False
    """Whether the boxes of a table are shares of the image's sides, 0 to 1."""
    frames: FrameParams | None = None
    """Which frames of videos become images; needed where there are videos."""
    always_changed: bool = False
    """Whether the source is labelled elsewhere: a run that finds all sources as they were publishes nothing."""

    @field_validator("images_url", "annotations_url", mode="before")
    @classmethod
    def _urls(cls, value: object) -> object:
        several = isinstance(value, list) and value and all(isinstance(one, str) for one in value)
        if value is None or isinstance(value, str) or several:
            return value
        raise PydanticCustomError("urls", "should be a string, or a list of strings that is not empty")

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


class FetchParams(SourceFields):
    """Where images, annotations and starting weights come from, and how patient the download is.

    One source is given by its own parameters, several as a list in `sources`. `sample://scenes?...` as images_url
    draws the built-in sample, whose annotations come with it.
    """

    sources: list[SourceParams] = Field(default_factory=list)
    weights_url: str | None = None
    """A checkpoint to start from; null: training starts from scratch."""
    weights_sha256: str | None = Field(default=None, pattern=SHA256)
    attempts: int = Field(default=5, ge=1, le=100)
    """Attempts in a row without a new byte before a download is given up."""
    timeout_seconds: float = Field(default=60.0, gt=0)
    connections: int = Field(default=4, ge=1, le=16)
    """Connections for one file, where its server sends parts."""
    when_unreachable: Literal["fail", "use_cached"] = "fail"
    """Whether a copy from an earlier run will do when no server answers."""
    max_unpacked_gib: float = Field(default=500.0, gt=0)
    max_unpacked_files: int = Field(default=2_000_000, ge=1)
    max_unpacked_ratio: int = Field(default=200, ge=1)
    """Unpacked bytes to packed bytes."""
    max_left_out: float = Field(default=0.01, ge=0, le=1)
    """Share of a source's objects that may be left out, because they cannot be read or their kind is not taken."""
    preview_images: int = Field(default=12, ge=1, le=60)

    @model_validator(mode="after")
    def _one_or_several(self) -> "FetchParams":
        if not self.sources:
            self._check()
        elif given := self._given():
            raise ValueError(f"{', '.join(given)} must be left out beside sources, or be given within them")
        return self

    @property
    def all_sources(self) -> list[SourceFields]:
        """The sources, one or several."""
        return list(self.sources) or [self]

    @property
    def fetch_options(self) -> FetchOptions:
        """How downloads are made."""
        retry = RetryPolicy(attempts=self.attempts, timeout=self.timeout_seconds)
        return FetchOptions(retry, connections=self.connections, when_unreachable=self.when_unreachable)

    def options_for(self, source: SourceFields) -> FetchOptions:
        """Return how a source is downloaded: an old copy never stands in for one that is `always_changed`."""
        if source.always_changed:
            return replace(self.fetch_options, when_unreachable="fail")
        return self.fetch_options

    @property
    def limits(self) -> Limits:
        """What an archive may unpack to."""
        return Limits(
            files=self.max_unpacked_files,
            total_bytes=int(self.max_unpacked_gib * (1 << 30)),
            ratio=self.max_unpacked_ratio,
        )

    def custom_inputs(self) -> list[dict[str, str]]:
        """Return the given URLs as custom inputs of the notebook's interface, without passwords."""
        urls: dict[str, str] = {}
        for number, source in enumerate(self.all_sources, start=1):
            prefix = f"source_{number}_" if self.sources else ""
            urls |= {f"{prefix}{name}": url for name, url in source.shown_urls().items()}
        if self.weights_url:
            urls["weights"] = shown_url(self.weights_url)
        return [{"entity_name": name, "entity_path": url} for name, url in urls.items()]


def shown_url(url: str) -> str:
    """Return a URL as its origin is recorded: of the sample with every value spelled out, else without its password."""
    return parse_scenes_url(url).url if url.startswith(SAMPLE_SCHEME) else without_credentials(url)


def is_database(url: str) -> bool:
    """Return whether a URL is one of SQLAlchemy's."""
    found = _DATABASE.match(url)
    return found is not None and found["dialect"].lower() not in _FILES


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
    if urlsplit(url).password is not None:
        raise ValueError(f"{name}: leave the password out; it is read from SINARA_SQL_PASSWORD")
