"""What a notebook's interface cell may say: the keys of its entries, and the names it gets back. Pure."""

import json
import uuid
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from sinara_lib.errors import InterfaceError
from sinara_lib.layout import entity_name
from sinara_lib.runs.notebook_run import DESIGN_VARIABLE, NOTEBOOK_VARIABLE
from sinara_lib.store.manifest import SubstepRecord

ENV_NAME = "env_name"
PIPELINE_NAME = "pipeline_name"
ZONE_NAME = "zone_name"
STEP_NAME = "step_name"
RUN_ID = "run_id"
ENTITY_NAME = "entity_name"
ENTITY_PATH = "entity_path"
SUBSTEP_NAME = "substep_name"
USED_BY = "used_by"
"""Of an input: another input's step; this one comes from the run which that one was made from."""

Entry = Mapping[str, str]


class Entities:
    """URLs of declared entities, one attribute each (a dot in the name becomes `_`)."""

    def __init__(self, kind: str, urls: Mapping[str, str], full_names: Mapping[str, str]) -> None:
        self._kind = kind
        self._urls = dict(urls)
        self._full_names = dict(full_names)

    def __getattr__(self, name: str) -> str:
        if name.startswith("_"):
            raise AttributeError(name)
        return self._look_up(self._urls, name)

    def fullname(self, name: str) -> str:
        """Return `<env>.<pipeline>.<zone>.<step>.<entity>` of a declared entity."""
        return self._look_up(self._full_names, entity_name(name))

    def as_paths(self) -> "Entities":
        """Return the same with paths in place of `file://` URLs."""
        return Entities(self._kind, {n: u.removeprefix("file://") for n, u in self._urls.items()}, self._full_names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._urls)

    def __dir__(self) -> list[str]:
        return [*self._urls, "fullname"]

    def _look_up(self, names: Mapping[str, str], name: str) -> str:
        if name not in names:
            declared = ", ".join(names) or "none"
            raise InterfaceError(f"{self._kind} {name!r} is not declared in the interface cell; declared: {declared}.")
        return names[name]


def check_entries(
    kind: str, entries: Sequence[Entry], *, required: Sequence[str], optional: Sequence[str] = ()
) -> None:
    """Raise InterfaceError for an entry with an unknown or missing key, or for a name that is given twice.

    Inputs of several steps may share a name.
    """
    allowed = (*required, *optional)
    for entry in entries:
        unknown = [key for key in entry if key not in allowed]
        missing = [key for key in required if key not in entry]
        if unknown or missing:
            problem = f"unknown {', '.join(unknown)}" if unknown else f"missing {', '.join(missing)}"
            raise InterfaceError(f"{kind}: entry {dict(entry)} has {problem}; allowed: {', '.join(allowed)}.")
    names = [] if STEP_NAME in required else entity_names(entries)
    if twice := {name for name in names if names.count(name) > 1}:
        raise InterfaceError(f"{kind}: {', '.join(sorted(twice))} is declared twice; a dot in a name counts as '_'.")


def entity_names(entries: Sequence[Entry]) -> list[str]:
    """Return the entities' names as they stand in the store."""
    return [entity_name(entry[ENTITY_NAME]) for entry in entries]


FOLDER_VARIABLE = "VISUALIZER_SESSION_RUN_ID"


def is_designing(environ: Mapping[str, str]) -> bool:
    """Tell whether only interfaces are asked for: no data are needed then, and no run is left."""
    return DESIGN_VARIABLE in environ


def write_design(environ: Mapping[str, str], *, step_name: str, record: SubstepRecord) -> Path:
    """Write inputs and outputs of the running notebook as a JSON file of its own; return its path.

    Raises InterfaceError when `environ` does not say into which folder.
    """
    if not (folder := environ.get(FOLDER_VARIABLE)):
        raise InterfaceError(f"DESIGN_MODE is set but {FOLDER_VARIABLE} is not: set it to a folder's path.")
    notebook = environ.get(NOTEBOOK_VARIABLE, "notebook.ipynb")
    Path(folder).mkdir(parents=True, exist_ok=True)
    page = {"step_name": step_name, "substep_name": notebook, "inputs": record.inputs, "outputs": record.outputs}
    path = Path(folder) / f"{step_name}.{notebook}.{uuid.uuid4()}.json"
    path.write_text(json.dumps(page, indent=1), encoding="utf-8")
    return path
