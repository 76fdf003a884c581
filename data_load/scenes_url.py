"""The address of the built-in sample: `sample://scenes?images=400&size=256&seed=1`."""

from dataclasses import dataclass
from urllib.parse import parse_qsl, urlsplit

from sinara_lib.errors import ParamsError

LIMITS = {"images": (1, 100_000), "size": (96, 1024), "seed": (0, 2**31), "defects": (0, 1)}


@dataclass(frozen=True)
class ScenesRequest:
    """What a sample URL asks for: number of images, their side in pixels, the seed, and whether defects are planted."""

    images: int = 400
    size: int = 256
    seed: int = 1
    defects: int = 1

    @property
    def url(self) -> str:
        """The URL with every value spelled out."""
        return f"sample://scenes?images={self.images}&size={self.size}&seed={self.seed}&defects={self.defects}"


def parse_scenes_url(url: str) -> ScenesRequest:
    """Read a sample URL; values left out keep their defaults. Raises ParamsError naming what is wrong."""
    parts = urlsplit(url)
    if (parts.scheme, parts.netloc, parts.path.strip("/")) != ("sample", "scenes", ""):
        raise ParamsError(f"{url}: the built-in sample is sample://scenes?images=400&size=256&seed=1.")
    values: dict[str, int] = {}
    for key, text in parse_qsl(parts.query, keep_blank_values=True):
        if key not in LIMITS or key in values:
            problem = "is given twice" if key in values else "is unknown"
            raise ParamsError(f"{url}: {key} {problem}; the sample takes each of {', '.join(LIMITS)} once.")
        low, high = LIMITS[key]
        if not text.isascii() or not text.isdigit() or not low <= int(text) <= high:
            raise ParamsError(f"{url}: {key} is {text!r}; expected a whole number from {low} to {high}.")
        values[key] = int(text)
    return ScenesRequest(**values)
