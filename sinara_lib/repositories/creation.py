"""A new pipeline of steps that live in repositories of their own: its folder with `sinara.toml` and their checkouts."""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from sinara_lib.errors import ParamsError
from sinara_lib.layout import check_name
from sinara_lib.repositories.checkouts import Answer, clone, for_each
from sinara_lib.settings_file import SETTINGS_FILE
from sinara_lib.step_sources import StepSource, is_local_path, read_sources


def create_pipeline(name: str, steps: Sequence[str], *, into: Path) -> list[Answer]:
    """Make the folder of a pipeline from `NAME=URL` each, with a checkout of every step.

    One that cannot be cloned does not stop the others; where none can, nothing is made. Raises ParamsError for what
    names no step, and where the folder is there.
    """
    check_name(name, "pipeline")
    folder = into / name
    if os.path.lexists(folder):
        raise ParamsError(f"{folder} is there: choose another name, or `sinara pipeline clone` in it.")
    entries = dict(_entry(text, into) for text in steps)
    if len(entries) < len(steps):
        raise ParamsError("--step: two steps have one name; give each its own.")
    sources = read_sources(entries, "--step")
    with tempfile.TemporaryDirectory(prefix=f".{name}-", dir=into) as draft:
        place = Path(draft) / name
        place.mkdir()
        answers = for_each(sources, place, clone)
        answers = [Answer(a.name, a.text.replace(str(place), str(folder)), a.good) for a in answers]
        if any(answer.good for answer in answers):
            (place / SETTINGS_FILE).write_text(settings_text(name, sources), encoding="utf-8")
            place.rename(folder)
    return answers


def settings_text(name: str, sources: Sequence[StepSource]) -> str:
    """Return the text of a `sinara.toml`."""
    lines = [f"[pipeline]\nname = {json.dumps(name)}\n", "# The steps in the order they run.", "[pipeline.steps]"]
    for source in sources:
        entry = f"{{ git = {json.dumps(source.git)} }}" if source.git else json.dumps(source.folder)
        lines.append(f"{json.dumps(source.name)} = {entry}")
    return "\n".join(lines) + "\n"


def _entry(text: str, into: Path) -> tuple[str, dict[str, str]]:
    name, equals, url = text.partition("=")
    if not equals or not name or not url:
        raise ParamsError("--step: expected NAME=URL, such as data_load=https://host/org/demo-data_load.git.")
    local = is_local_path(url) and not url.startswith("-") and "::" not in url
    return name, {"git": str((into / Path(url).expanduser()).resolve()) if local else url}
