"""Our archive and what it is measured beside, when it is installed: SinaraML's SinaraArchive on local Spark, and DVC.

As a command: python archive_peers.py ours|spark pack|unpack SOURCE TARGET [CHECKOUT]
"""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from tempfile import TemporaryDirectory
from types import ModuleType
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from sinara_lib.archive import pack, unpack
from sinara_lib.layout import StepAddress
from sinara_lib.store import store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
from tests.java_home import make_java_home

Work = Callable[[Path, Path], None]
"""Takes a source and a target."""


@dataclass(frozen=True)
class Peer:
    """A way to pack a folder to a new place and to unpack it from there into a new folder.

    `prepare` makes the input that pack takes, from a folder and beside a place; its time does not count.
    """

    pack: Work
    unpack: Work
    prepare: Callable[[Path, Path], Path] = lambda folder, place: folder


def as_process(name: str, *more: Path) -> Peer:
    """Return a peer whose pack and unpack are each a Python process of their own, its start included."""

    def run(way: str, source: Path, target: Path) -> None:
        subprocess.run([sys.executable, __file__, name, way, source, target, *more], check=True, capture_output=True)

    return Peer(lambda folder, place: run("pack", folder, place), lambda place, folder: run("unpack", place, folder))


STEP = StepAddress("benchmark", "archive", "pack")


def our_archive() -> Peer:
    """Return our pack and unpack, each time to a new run."""

    def to_store(folder: Path, place: Path) -> None:
        store, now = store_at(str(place)), datetime.now(timezone.utc)
        record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="benchmark"))
        pack(folder, store.url_of(store.start_run(STEP, record, now=now).entity("files")))

    return Peer(to_store, lambda place, folder: unpack(_packed_url(place), folder))


def our_commands() -> Peer:
    """Return packing in a Python process of its own, and `sinara fetch`."""
    sinara = Path(sys.executable).with_name("sinara")

    def fetch(place: Path, folder: Path) -> None:
        subprocess.run([sinara, "fetch", _packed_url(place), folder], check=True, capture_output=True)

    return Peer(as_process("ours").pack, fetch)


def _packed_url(place: Path) -> str:
    store = store_at(str(place))
    return store.url_of(store.runs(STEP)[0].entity("files"))


@contextmanager
def spark_archive(checkout: Path, work: Path) -> Iterator[Peer]:
    """Give SinaraML's archive from a checkout (or a bare repository) of its library, on a Spark that has started.

    Its module imports the platform's settings, so it is put into a package of its own with two stand-ins.
    """
    module = _load(checkout, work / "modules")
    environ = {"SPARK_LOCAL_IP": "127.0.0.1", "SPARK_LOCAL_DIRS": str(work), "PYSPARK_PYTHON": sys.executable}
    environ["PYTHONPATH"] = str(work / "modules")
    environ["SINARA_SERVER_CORES"] = str(len(os.sched_getaffinity(0)))
    if shutil.which("java") is None and "JAVA_HOME" not in os.environ:
        environ["JAVA_HOME"] = str(make_java_home(work / "java"))
    os.environ.update(environ)
    session = _spark()
    archive = module.SinaraArchive(session)
    try:
        yield Peer(
            pack=lambda folder, place: archive.pack_files_from_tmp_to_store(str(folder), f"file://{place}"),
            unpack=lambda place, folder: archive.unpack_files_from_store_to_tmp(f"file://{place}", str(folder)),
        )
    finally:
        session.stop()


def _load(checkout: Path, folder: Path) -> ModuleType:
    package = folder / "sinara_peer"
    package.mkdir(parents=True)
    (package / "__init__.py").touch()
    (package / "settings.py").write_text("class _SinaraSettings:\n    pass\n")
    (package / "substep.py").write_text("def get_tmp_work_path():\n    raise NotImplementedError\n")
    plain = checkout / "archive.py"
    git = ["git", "-C", str(checkout), "show", "HEAD:archive.py"]
    text = plain.read_bytes() if plain.is_file() else subprocess.run(git, check=True, capture_output=True).stdout
    (package / "archive.py").write_bytes(text)
    sys.path.insert(0, str(folder))
    from importlib import import_module

    return import_module("sinara_peer.archive")


def _spark() -> Any:
    from pyspark.sql import SparkSession

    builder = SparkSession.builder.master(f"local[{os.environ['SINARA_SERVER_CORES']}]")
    settings = {
        "spark.driver.bindAddress": "127.0.0.1",
        "spark.driver.host": "127.0.0.1",
        "spark.ui.enabled": "false",
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.memory": "4g",
        "spark.sql.execution.arrow.pyspark.enabled": "true",
    }
    for name, value in settings.items():
        builder = builder.config(name, value)
    session = builder.getOrCreate()
    session.sparkContext.setLogLevel("ERROR")
    session.range(1000).count()
    return session


class Dvc:
    """DVC with a local remote, in a workspace without git; its cache and settings lie in the workspace too.

    A command is given to `run` with its workspace; by default each is a process of its own.
    """

    def __init__(self, command: str, run: Callable[..., None] | None = None) -> None:
        self._command = command
        self._run = run or self.as_command

    def peer(self) -> Peer:
        """Return `dvc add` and `dvc push` as packing, `dvc pull` into a fresh workspace as unpacking."""
        return Peer(pack=self._add_and_push, unpack=self._pull, prepare=self._prepare)

    def as_command(self, space: Path, *arguments: str) -> None:
        """Run one command in a process of its own."""
        own = {**os.environ, **_own_folders(space)}
        subprocess.run([self._command, *arguments, "--quiet"], cwd=space, check=True, env=own)

    def _prepare(self, folder: Path, place: Path) -> Path:
        space = place / "workspace"
        space.mkdir(parents=True)
        self.as_command(space, "init", "--no-scm")
        self.as_command(space, "config", "core.analytics", "false")
        self.as_command(space, "remote", "add", "--default", "near", str(place / "remote"))
        shutil.copytree(folder, space / "data")
        return space

    def _add_and_push(self, space: Path, place: Path) -> None:
        self._run(space, "add", "data")
        self._run(space, "push")

    def _pull(self, place: Path, folder: Path) -> None:
        space = folder.with_name("workspace")
        (space / ".dvc").mkdir(parents=True)
        shutil.copy(place / "workspace" / ".dvc" / "config", space / ".dvc")
        shutil.copy(place / "workspace" / "data.dvc", space)
        self._run(space, "pull")
        os.rename(space / "data", folder)


def _own_folders(space: Path) -> dict[str, str]:
    return {f"DVC_{kind}_DIR": str(space / ".dvc" / "tmp" / kind) for kind in ("GLOBAL_CONFIG", "SITE_CACHE")}


DVC_STARTED = """import json, os, sys
from dvc.repo import Repo
for line in sys.stdin:
    space, own, name, *targets = json.loads(line)
    os.environ.update(own)
    os.chdir(space)
    with Repo() as repo:
        getattr(repo, name)(*targets)
    print("done", flush=True)
"""


@contextmanager
def started_dvc(command: str) -> Iterator[Peer]:
    """Give DVC inside one Python that has imported it, by the calls that its commands make."""
    python = Path(shutil.which(command) or command).with_name("python")
    options: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([python, "-c", DVC_STARTED], text=True, bufsize=1, **options) as process:
        assert process.stdin is not None  # noqa: S101 - both are pipes
        assert process.stdout is not None  # noqa: S101

        def run(space: Path, *arguments: str) -> None:
            print(json.dumps([str(space), _own_folders(space), *arguments]), file=process.stdin, flush=True)
            if process.stdout.readline() != "done\n":
                raise RuntimeError(f"dvc {' '.join(arguments)} failed in {space}")

        yield Dvc(command, run).peer()
        process.stdin.close()


def main() -> None:
    """Pack or unpack once, as one command."""
    name, way, source, target, *more = sys.argv[1:]
    with TemporaryDirectory() as work, ExitStack() as stack:
        peer = our_archive() if name == "ours" else stack.enter_context(spark_archive(Path(more[0]), Path(work)))
        (peer.pack if way == "pack" else peer.unpack)(Path(source), Path(target))


if __name__ == "__main__":
    main()
