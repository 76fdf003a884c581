"""A BentoML service as a versioned entity: save, load in process, serve.

The entity holds `model.zip` (the bento, self-contained) and `save_info.txt` (its name, version and labels).
"""

import atexit
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import weakref
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sinara_lib.bento.build import QUIET_SETTINGS, build_bento
from sinara_lib.bento.server import START_SECONDS, BentoServer, start_server, stop_server, wait_until_ready
from sinara_lib.errors import ArchiveError, DataError
from sinara_lib.isolation import isolated_modules
from sinara_lib.store import fetch_folder, publish_folder
from sinara_lib.store.work_folders import sign, work_folder

ARCHIVE_NAME = "model.zip"
INFO_NAME = "save_info.txt"
TOLERANCE = 0.05
"""How far a number of the self-test may lie from the packed one: boxes in pixels, scores absolute."""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class DevService:
    """A bento that `start_dev_bentoservice` runs; `url` is its address."""

    server: BentoServer
    folder: Path

    @property
    def url(self) -> str:
        """Address of the service, without a slash at its end."""
        return self.server.url


def save_bentoservice(
    service_folder: str | Path,
    url: str,
    *,
    version: str,
    name: str = "rest_service",
    labels: Mapping[str, str] | None = None,
) -> None:
    """Build the bento of a service folder, test it, and publish it as the entity at `url`.

    The folder holds `service.py`, its modules, `requirements.txt` and `artifacts/` with `test_image.*` and
    `test_result.json`. Raises DataError when it cannot be built or does not answer what was packed.
    """
    labels = {**(labels or {}), "version": version}
    with tempfile.TemporaryDirectory() as work:
        entity = Path(work) / "entity"
        entity.mkdir()
        build_bento(service_folder, entity / ARCHIVE_NAME, name=name, version=version.lower(), labels=labels)
        _self_test(entity / ARCHIVE_NAME, Path(work) / "bento")
        facts = [f"BENTO_SERVICE={name}.{version}", *(f"{key}={value}" for key, value in sorted(labels.items()))]
        (entity / INFO_NAME).write_text("\n".join(facts) + "\n", encoding="utf-8")
        publish_folder(entity, url)


def load_bentoservice(url: str) -> Any:
    """Load the bento at `url` into this process and return its service object.

    Call its methods directly. Several versions may be loaded at once. The unzipped files are removed when the object
    is no longer used.

    >>> service = load_bentoservice(url)
    >>> service.predict(Path("cat.jpg").read_bytes())
    {'answer': 'one', 'bytes': 4}
    """
    folder = sign(Path(tempfile.mkdtemp(prefix="bento-")))
    try:
        service = load_service(fetch_bento(url, folder))
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    weakref.finalize(service, shutil.rmtree, folder, ignore_errors=True)
    return service


def extract_artifacts_from_bentoservice(url: str, folder: str | Path) -> Path:
    """Copy what was packed beside the code of the bento at `url` (model, classes, test image) into a folder.

    The folder is made when absent and returned. Raises ArchiveError when a file of that name is there already.
    """
    folder = Path(folder)
    with work_folder("bento-") as work:
        artifacts = fetch_bento(url, work) / "src" / "artifacts"
        if taken := [path.name for path in sorted(artifacts.iterdir()) if (folder / path.name).exists()]:
            raise ArchiveError(f"{folder / taken[0]} is there already; extract the artifacts into an empty folder.")
        return Path(shutil.copytree(artifacts, folder, dirs_exist_ok=True))


def start_dev_bentoservice(
    url: str,
    *,
    host: str = "127.0.0.1",
    port: int = 0,
    ready_seconds: float = START_SECONDS,
    settings: Mapping[str, str] | None = None,
) -> DevService:
    """Run the bento at `url` as a server in the background and return when it answers; port 0 takes a free one.

    `settings` replace variables of the environment, such as SERVICE_MAX_PIXELS.

    Raises SinaraError with the server's last lines when it is not ready in `ready_seconds`.
    """
    folder = sign(Path(tempfile.mkdtemp(prefix="bento-")))
    try:
        server = start_server(fetch_bento(url, folder), folder, host=host, port=port, quiet=True, settings=settings)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    handle = DevService(server=server, folder=folder)
    try:
        wait_until_ready(server, seconds=ready_seconds)
    except BaseException:
        stop_dev_bentoservice(handle)
        raise
    return handle


def stop_dev_bentoservice(handle: DevService) -> None:
    """End a server of `start_dev_bentoservice` and remove its files."""
    stop_server(handle.server)
    shutil.rmtree(handle.folder, ignore_errors=True)


def serve_bentoservice(url: str, *, host: str = "127.0.0.1", port: int = 3000, workers: int | None = None) -> int:
    """Serve the bento at `url` until Ctrl-C or SIGTERM, its log in the terminal.

    The cores are divided between the `workers` (default: SERVICE_WORKERS, else 1). Returns the exit code: 0 when it
    was told to end.
    """
    with work_folder("bento-") as work, _terminate_as_interrupt():
        bento = fetch_bento(url, work)
        server = start_server(bento, work, host=host, port=port, quiet=False, workers=workers)
        try:
            wait_until_ready(server)
            logger.info("Serving %s at %s; Ctrl-C ends it.", url, server.url)
            return server.process.wait()
        except KeyboardInterrupt:
            logger.info("Ending the service.")
            return 0
        finally:
            stop_server(server)


def fetch_bento(url: str, folder: Path) -> Path:
    """Fetch the entity at `url` below `folder`, unzip it, and return the folder of the bento."""
    fetch_folder(url, folder / "entity")
    return unzip_bento(folder / "entity" / ARCHIVE_NAME, folder / "bento")


def unzip_bento(archive: Path, folder: Path) -> Path:
    """Unzip a bento into a new folder and return it. Raises ArchiveError when the file is no bento."""
    try:
        with zipfile.ZipFile(archive) as zipped:
            zipped.extractall(folder)
    except (OSError, zipfile.BadZipFile) as error:
        raise ArchiveError(f"{archive}: cannot be unzipped as a bento ({error}); pack the service again.") from error
    if not (folder / "bento.yaml").is_file():
        raise ArchiveError(f"{archive}: holds no bento.yaml, so it is not a bento; pack the service again.")
    return folder


def load_service(folder: Path) -> Any:
    """Load a bento folder, or a plain service folder with `service.py`, and return its service object.

    The service's own modules are taken out of `sys.modules` afterwards, so that another version loads its own.
    """
    sources = folder / "src" if (folder / "bento.yaml").is_file() else folder
    bentoml = _import_bentoml()
    with isolated_modules(sources):
        return bentoml.load(str(folder.resolve()))()


def differences(expected: Any, found: Any, *, place: str = "answer") -> list[str]:
    """List where two JSON documents differ; numbers may lie `TOLERANCE` apart."""
    if isinstance(expected, dict) and isinstance(found, dict) and expected.keys() == found.keys():
        return [d for key in expected for d in differences(expected[key], found[key], place=f"{place}.{key}")]
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        pairs = enumerate(zip(expected, found, strict=True))
        return [d for i, (one, other) in pairs for d in differences(one, other, place=f"{place}[{i}]")]
    if isinstance(expected, float) and isinstance(found, int | float) and abs(expected - found) <= TOLERANCE:
        return []
    return [] if expected == found else [f"{place}: expected {str(expected)[:80]}, found {str(found)[:80]}"]


def _self_test(archive: Path, folder: Path) -> None:
    artifacts = unzip_bento(archive, folder) / "src" / "artifacts"
    images = sorted(artifacts.glob("test_image.*"))
    if len(images) != 1 or not (artifacts / "test_result.json").is_file():
        raise DataError(f"{archive}: artifacts/ needs one test_image.* and test_result.json to test the bento with.")
    expected = json.loads((artifacts / "test_result.json").read_text(encoding="utf-8"))
    found = load_service(folder).predict(images[0].read_bytes(), file_name=images[0].name)
    if wrong := differences(expected, found):
        raise DataError(f"{archive}: the packed service answers otherwise than expected: {'; '.join(wrong[:3])}.")


def _import_bentoml() -> Any:
    # BentoML makes its home when it is imported: a temporary one, unless the user named another.
    for key, value in QUIET_SETTINGS.items():
        os.environ.setdefault(key, value)
    if "bentoml" not in sys.modules and "BENTOML_HOME" not in os.environ:
        home = tempfile.TemporaryDirectory(prefix="bentoml-")
        atexit.register(home.cleanup)
        os.environ["BENTOML_HOME"] = home.name
    import bentoml

    logging.getLogger("bentoml").setLevel(logging.WARNING)
    return bentoml


@contextmanager
def _terminate_as_interrupt() -> Iterator[None]:
    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    previous = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
