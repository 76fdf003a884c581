"""What SinaraML had and this library has not: an error that names what to use instead."""

from typing import Any, NoReturn

from sinara_lib.errors import DroppedError

INSTEAD = {
    "default_param_values": "the params file counts by itself: call get_pipeline_params() and get_step_params()",
    "get_tmp_prepared": "nothing has to be prepared: substep.tmp_entities() and get_tmp_work_path() give folders",
    "reset_curr_run_id": "each run has its own id; SINARA_RUN_ID or --run-id gives one",
    "SinaraStore": "sinara.archive.SinaraArchive().pack and .unpack, which check every file",
    "SinaraOnnxBentoService": "a service folder with service.py; `sinara_lib.bento.save_bentoservice` packs it",
    "SinaraPytorchBentoService": "a service folder with service.py; `sinara_lib.bento.save_bentoservice` packs it",
    "SinaraBinaryBentoService": "a service folder with service.py; `sinara_lib.bento.save_bentoservice` packs it",
    "BentoArchive": "sinara.archive.SinaraArchive().pack for files, `sinara_lib.bento` for a service",
    "BinaryFileArtifact": "a file in the service folder's artifacts/",
    "OnnxModelArtifact": "a file in the service folder's artifacts/",
    "save_bentoartifact_to_tmp": "extract_artifacts_from_bentoservice(path, folder)",
    "SinaraFileSystem": "open and os for paths; sinara_lib.store.open_entity(url) for what is published",
    "SinaraDiffReport": "`sinara diff RUN_A RUN_B` on the command line",
}
"""Names that are gone, and what does their work."""


def dropped(module: str, name: str) -> NoReturn:
    """Raise for a name that a module does not have: DroppedError where SinaraML had it, else AttributeError."""
    if name in INSTEAD:
        raise gone(f"{module}.{name}", INSTEAD[name])
    raise AttributeError(f"module {module!r} has no attribute {name!r}")


def gone(what: str, instead: str) -> DroppedError:
    """Return the error for something that is no more."""
    return DroppedError(f"{what} of SinaraML is gone. Use instead: {instead}. See docs/migrating-from-sinaraml.md.")


class Gone:
    """Stands for an object that is not there: whatever is asked of it raises, and says what to use."""

    def __init__(self, what: str, instead: str) -> None:
        self._what = what
        self._instead = instead

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        raise gone(f"{self._what}.{name}", self._instead)
