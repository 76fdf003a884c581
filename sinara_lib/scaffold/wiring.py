"""A step's line in `sinara.toml`, written into the text that is there, whatever else that holds."""

import json
import re
import sys
from collections.abc import Iterator
from typing import Any

from sinara_lib.errors import ParamsError
from sinara_lib.step_sources import read_sources

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

_LIST = re.compile(r"^\s*(?:pipeline\.)?steps\s*=\s*\[", re.MULTILINE)
_TABLE = re.compile(r"^\s*\[\s*pipeline\.steps\s*\]", re.MULTILINE)


def with_step(text: str, folder: str, where: str) -> str:
    """Return the text of a `sinara.toml` with one more step at its end. Raises ParamsError where it finds no place."""
    before = tomllib.loads(text)
    for candidate in _candidates(text, folder):
        if _adds(before, candidate, folder):
            return candidate
    raise ParamsError(f"{where}: no place for the new step was found: add {json.dumps(folder)} to pipeline.steps.")


def _candidates(text: str, folder: str) -> Iterator[str]:
    quoted = json.dumps(folder)
    if table := _TABLE.search(text):
        ends = [match.start() for match in re.finditer(r"\n|\Z", text) if match.start() >= table.end()]
        for end in ends:
            yield f"{text[:end]}\n{quoted} = {quoted}{text[end:]}"
    if listed := _LIST.search(text):
        for end in (match.start() for match in re.finditer(r"\]", text) if match.start() >= listed.end()):
            held = text[listed.end() : end].rstrip()
            comma = "" if not held or held.endswith(",") else ","
            space = " " if held and "\n" not in held else "\n    " if held else ""
            tail = "\n" if "\n" in held else ""
            yield f"{text[: listed.end()]}{held}{comma}{space}{quoted}{tail}{text[end:]}"
    header = re.search(r"^\s*\[\s*pipeline\s*\].*$", text, re.MULTILINE)
    if header:
        yield f"{text[: header.end()]}\nsteps = [{quoted}]{text[header.end() :]}"
    else:
        yield f"[pipeline]\nsteps = [{quoted}]\n\n{text}"


def _adds(before: dict[str, Any], candidate: str, folder: str) -> bool:
    """Tell whether a text says what it said and names the step, last of all."""
    try:
        after = tomllib.loads(candidate)
    except ValueError:
        return False
    old, new = before.get("pipeline", {}), after.get("pipeline", {})
    rest = [{k: v for k, v in one.items() if k != "pipeline"} for one in (before, after)]
    own = [{k: v for k, v in one.items() if k != "steps"} for one in (old, new)]
    if rest[0] != rest[1] or own[0] != own[1]:
        return False
    known = read_sources(old.get("steps", []), "sinara.toml")
    return read_sources(new.get("steps", []), "sinara.toml") == (*known, *read_sources([folder], "sinara.toml"))
