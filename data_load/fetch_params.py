"""Parameters of data_load.ipynb."""

from typing import Literal

from pydantic import Field, model_validator
from sample_scenes import parse_scenes_url
from source_cached import FetchOptions
from source_download import RetryPolicy
from source_extract import Limits

from sinara_lib.layout import without_credentials
from sinara_lib.params import ParamsModel

SAMPLE_SCHEME = "sample:"


class FetchParams(ParamsModel):
    """Where images, annotations and starting weights come from, and how patient the download is.

    A URL is http(s), file: or a plain path: of a zip or tar archive, or of a folder; annotations may also be a JSON
    file. `sample://scenes?...` as images_url draws the built-in sample, whose annotations come with it.
    """

    images_url: str = Field(min_length=1)
    images_sha256: str | None = Field(default=None, pattern="^[0-9A-Fa-f]{64}$")
    annotations_url: str | None = None
    """Null only for the built-in sample."""
    annotations_sha256: str | None = Field(default=None, pattern="^[0-9A-Fa-f]{64}$")
    annotations_member: str | None = None
    """Path of the JSON inside the archive or folder; not needed when there is only one."""
    weights_url: str | None = None
    """A checkpoint to start from; null: training starts from scratch."""
    weights_sha256: str | None = Field(default=None, pattern="^[0-9A-Fa-f]{64}$")
    attempts: int = Field(default=5, ge=1, le=100)
    """Attempts in a row without a new byte before a download is given up."""
    timeout_seconds: float = Field(default=60.0, gt=0)
    connections: int = Field(default=4, ge=1, le=16)
    """Connections for one file, where its server sends parts."""
    when_unreachable: Literal["fail", "use_cached"] = "fail"
    """Whether a copy from an earlier run will do when no server answers."""
    max_unpacked_gib: float = Field(default=500.0, gt=0)
    preview_images: int = Field(default=12, ge=1, le=60)

    @model_validator(mode="after")
    def _annotations_are_somewhere(self) -> "FetchParams":
        if self.is_sample == (self.annotations_url is not None):
            raise ValueError(
                "annotations_url must be null with the built-in sample, which brings its own"
                if self.is_sample
                else "annotations_url is needed with images that are not the built-in sample"
            )
        return self

    @property
    def is_sample(self) -> bool:
        """Whether the images are drawn here."""
        return self.images_url.startswith(SAMPLE_SCHEME)

    @property
    def fetch_options(self) -> FetchOptions:
        """How downloads are made."""
        retry = RetryPolicy(attempts=self.attempts, timeout=self.timeout_seconds)
        return FetchOptions(retry, connections=self.connections, when_unreachable=self.when_unreachable)

    @property
    def limits(self) -> Limits:
        """What an archive may unpack to."""
        return Limits(total_bytes=int(self.max_unpacked_gib * (1 << 30)))

    def sources(self) -> list[dict[str, str]]:
        """The given URLs as custom inputs of the notebook's interface, without passwords."""
        urls = {"images": self.images_url, "annotations": self.annotations_url, "weights": self.weights_url}
        shown = {name: self._shown(url) for name, url in urls.items() if url}
        return [{"entity_name": name, "entity_path": url} for name, url in shown.items()]

    def _shown(self, url: str) -> str:
        """Return a URL as its origin is recorded: of the sample with every value spelled out, else as it was given."""
        return parse_scenes_url(url).url if url.startswith(SAMPLE_SCHEME) else without_credentials(url)
