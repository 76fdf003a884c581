"""Parameters of data_load.ipynb."""

from dataclasses import dataclass

from pydantic import Field, field_validator, model_validator

from sinara_lib.downloads.options import FetchOptions
from source_params import SHA256, SourceFields, SourceParams, parsed_url, shown_url


@dataclass(frozen=True)
class Limits:
    """What an archive may hold at most; folders count as files, and bytes against `ratio` from `free_bytes` on."""

    files: int = 2_000_000
    total_bytes: int = 500 << 30
    ratio: int = 200
    free_bytes: int = 64 << 20


class FetchParams(FetchOptions, SourceFields):
    """Where images, annotations and starting weights come from, and how patient the download is.

    One source is given by its own parameters, several as a list in `sources`. `sample://scenes?...` as images_url
    draws the built-in sample, whose annotations come with it. Handed on whole where downloads are made.
    """

    sources: list[SourceParams] = Field(default_factory=list)
    """Several sources at once, each an object with the parameters of a source, which are then left out here."""
    weights_url: str | None = None
    """A checkpoint; `null`: training starts from scratch."""
    weights_sha256: str | None = Field(default=None, pattern=SHA256)
    """Refuse another checkpoint; without it, the start of the sha256 that OpenMMLab writes into a checkpoint's name is
    checked."""
    max_unpacked_gib: float = Field(default=500.0, gt=0)
    """An archive that would unpack to more is refused."""
    max_unpacked_files: int = Field(default=2_000_000, ge=1)
    """An archive that would unpack to more is refused; folders count as files."""
    max_unpacked_ratio: int = Field(default=200, ge=1)
    """An archive that would unpack to more than so many times its size (and 64 MiB) is refused."""
    max_left_out: float = Field(default=0.01, ge=0, le=1)
    """Which share of a source's objects may be left out (counted in the report); above it the run fails and names the
    largest reason."""
    preview_images: int = Field(default=12, ge=1, le=60)
    """Pictures in the report."""

    @field_validator("weights_url")
    @classmethod
    def _weights(cls, value: str | None) -> str | None:
        return value and parsed_url(value)

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

    def options_for(self, source: SourceFields) -> FetchOptions:
        """Return how a source is downloaded: an old copy never stands in for one that is `always_changed`."""
        return self.model_copy(update={"when_unreachable": "fail"}) if source.always_changed else self

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


NOTEBOOKS = {"data_load.ipynb": FetchParams}
