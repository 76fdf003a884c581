"""SinaraML's `sinara.bentoml`: saving, loading and serving a packed service. Services are folders for BentoML 1."""

import tempfile
import weakref
from pathlib import Path
from typing import Any

from sinara_lib import bento
from sinara_lib.compat.dropped import dropped, gone
from sinara_lib.compat.substep import NotebookSubstep
from sinara_lib.errors import InterfaceError

__all__ = [
    "extract_artifacts_from_bentoservice",
    "load_bentoservice",
    "save_bentoservice",
    "start_dev_bentoservice",
    "stop_dev_bentoservice",
]

_SERVERS: dict[str, bento.DevService] = {}
_LOADED: "weakref.WeakKeyDictionary[Any, str]" = weakref.WeakKeyDictionary()


def save_bentoservice(
    bentoservice: str | Path, *, path: str, substep: NotebookSubstep | None = None, service_version: str | None = None
) -> None:
    """Pack a service folder into the entity at `path`, named by `service_version` or by the run of `substep`.

    Raises DroppedError for an object of BentoML 0.13's BentoService.
    """
    if not isinstance(bentoservice, str | Path):
        raise gone(
            "The BentoService object of BentoML 0.13", "a folder with service.py, requirements.txt and artifacts/"
        )
    version = service_version or (_version(substep, path) if substep else None)
    if version is None:
        raise InterfaceError("save_bentoservice: give service_version, or the substep whose run names the version.")
    bento.save_bentoservice(bentoservice, path, version=version)


def load_bentoservice(path: str, bentoservice_name: str | None = None) -> Any:
    """Load the service at `path` into this process; it has the name it was packed with."""
    if bentoservice_name is not None:
        raise gone("bentoservice_name", "nothing: a service is loaded by the name it was packed with")
    service = bento.load_bentoservice(path)
    _LOADED[service] = path
    return service


def start_dev_bentoservice(
    bentoservice: Any, use_popen: bool = True, debug: bool = False, port: int = 5000
) -> bento.DevService:
    """Serve a loaded service, or the one at a path, on this machine; return when it answers.

    It always runs in a process of its own, and tells its last lines when it does not start.
    """
    path = _path_of(bentoservice)
    _SERVERS[path] = bento.start_dev_bentoservice(path, port=port)
    return _SERVERS[path]


def stop_dev_bentoservice(bentoservice: Any) -> None:
    """End the server of a service, if it runs."""
    if server := _SERVERS.pop(_path_of(bentoservice), None):
        bento.stop_dev_bentoservice(server)


def extract_artifacts_from_bentoservice(bentoservice_path: str, dest_folder: str | Path | None = None) -> str:
    """Copy what was packed beside the code of the service into a folder, by default a new one; return the folder."""
    return str(
        bento.extract_artifacts_from_bentoservice(bentoservice_path, dest_folder or tempfile.mkdtemp("-artifacts"))
    )


def _path_of(bentoservice: Any) -> str:
    return bentoservice if isinstance(bentoservice, str) else _LOADED[bentoservice]


def _version(substep: NotebookSubstep, path: str) -> str:
    return ".".join((substep.env_name, substep.pipeline_name, substep.zone_name, Path(path).name, substep.run_id))


def __getattr__(name: str) -> Any:
    return dropped(__name__, name)
