"""What all records have in common: frozen, strict, and an error that says whether a newer library wrote one."""

import json
from typing import Final, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from sinara_lib.errors import ArtifactCorruptError

NEWEST_FORMAT: Final = 1


class Record(BaseModel):
    """Base of records: frozen, and an unknown field is an error, so that nothing newer is half understood."""

    model_config = ConfigDict(frozen=True, extra="forbid")


R = TypeVar("R", bound=Record)


def parse_record(kind: type[R], data: bytes, url: str) -> R:
    """Parse a record of any kind. Raises ArtifactCorruptError when it is broken or of a newer format."""
    try:
        return kind.model_validate_json(data)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        newer = first["type"] == "extra_forbidden" or _format(data) > NEWEST_FORMAT
        remedy = (
            "A newer sinara_lib wrote it: update sinara_lib"
            if newer
            else "It is damaged; put it back from a copy, or run the producing step again"
        )
        where = ".".join(map(str, first["loc"])) or "the file"
        raise ArtifactCorruptError(f"cannot be read: {where}: {first['msg']}. {remedy}.", place=url) from error


def _format(data: bytes) -> int:
    """Return the format that a record claims; 0 when it does not say."""
    try:
        page = json.loads(data)
    except (ValueError, RecursionError):  # nested too deep, which is no form of ours
        return 0
    claimed = page.get("format") if isinstance(page, dict) else None
    return claimed if isinstance(claimed, int) else 0
