"""What a step's result was made by, part by part, and what it published: two runs that agree need not both be made."""

import hashlib
import json
from collections.abc import Mapping
from typing import Any

from pydantic import Field

from sinara_lib.store.record import Record


class Identity(Record):
    """What decides the result of a step's run, as it was when the run started."""

    params: dict[str, dict[str, Any]]
    """By notebook, after defaults, without credentials."""
    code: dict[str, str]
    """The start of the sha256 of every file of the step that git tracks or would track."""
    library: str
    packages: dict[str, str | None]
    """Versions of Python and of what the step's requirements.txt declares; None: not installed."""
    surroundings: dict[str, str] = Field(default_factory=dict)
    """The day or the device, where the step was told that its result depends on it."""
    inputs: dict[str, str] = Field(default_factory=dict)
    """`content` of every entity that was read, by `<pipeline>/<zone>/<step>/<entity>`; not of the step's own."""

    @property
    def made_by(self) -> str:
        """One sha256 over all but the inputs."""
        return _digest(self.model_dump(exclude={"inputs"}))


class Output(Record):
    """One published entity: `content` as in its manifest, and what tells whether its files are still as written."""

    content: str
    stamp: str


def inputs_digest(inputs: Mapping[str, str]) -> str:
    """Return one sha256 over the inputs' contents."""
    return _digest(dict(inputs))


def _digest(page: Any) -> str:
    text = json.dumps(page, sort_keys=True, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()
