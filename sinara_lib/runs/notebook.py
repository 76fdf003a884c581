"""Runs one notebook in a kernel of its own; the only place that knows papermill."""

import logging
import os
import signal
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from enum import Enum
from pathlib import Path
from typing import Any

import nbformat
import papermill
from nbclient.exceptions import DeadKernelError
from papermill.clientwrap import PapermillNotebookClient
from papermill.engines import Engine, papermill_engines
from papermill.exceptions import PapermillExecutionError
from traitlets.config import Config

from sinara_lib import errors
from sinara_lib.errors import InterfaceError, ParamsError, SinaraError
from sinara_lib.isolation import set_variables
from sinara_lib.runs import parameters_cell
from sinara_lib.runs.kernels import kernel_problem
from sinara_lib.runs.output import PlainOutput
from sinara_lib.runs.python_file import notebook_of
from sinara_lib.runs.shell_commands import FAILING_VARIABLE
from sinara_lib.store.work_folders import short_folder, work_folder

_INJECTED_TAG = "injected-parameters"
_ENGINE = "sinara"
_NO_SPACE = "No space left on device"

log = logging.getLogger(__name__)


class Outcome(str, Enum):
    """How a notebook ended."""

    DONE = "done"
    FAILED = "failed"
    STOPPED = "stopped"
    UNCHANGED = "unchanged"
    """Ended well and published nothing: an earlier run has published the same."""


@dataclass(frozen=True)
class NotebookEnd:
    """How a notebook ended and, unless it is done, why: one readable message."""

    outcome: Outcome
    reason: str | None = None


def run_notebook(
    source: Path,
    target: Path,
    *,
    parameters: Mapping[str, Any],
    environ: Mapping[str, str],
    kernel_name: str | None = None,
    verbose: bool = True,
) -> NotebookEnd:
    """Execute `source` with `parameters` in its own folder, saving the executed copy at `target` cell by cell.

    `source` is a notebook or a Python file; `verbose` says whether what cells print is shown while they run.
    Raises ParamsError or InterfaceError before the start, for a parameter the notebook does not have. What goes
    wrong in a cell, a dead kernel and Ctrl-C are told in the result.
    """
    notebook = notebook_of(source, target.with_name("python_file.ipynb")) if source.suffix == ".py" else source
    if parameters:
        check_parameters(notebook, parameters)
    kernel_name = kernel_name or kernel_of(notebook)
    environ = {**environ, **parameters_cell.job_file(target.parent, source, parameters)}
    environ[FAILING_VARIABLE] = str(parameters.get("step_params", {}).get("failing_commands") or "fail")
    if problem := kernel_problem(kernel_name):
        return NotebookEnd(Outcome.FAILED, f"{source.name}: {problem}.")
    words = (PlainOutput(sys.stdout), sys.stderr) if verbose else (None, None)
    try:
        with set_variables(environ):
            _execute(
                notebook, target, parameters=parameters, kernel_name=kernel_name, folder=source.parent, words=words
            )
    except PapermillExecutionError as error:
        return _cell_failure(source, target, error)
    except DeadKernelError:
        reason = "the kernel died, most often for want of memory: lower batch or image size, or free memory"
        return NotebookEnd(Outcome.FAILED, f"{source.name}: {reason}.")
    except RuntimeError as error:  # jupyter_client: the kernel died, or stayed silent, while it started
        return NotebookEnd(Outcome.FAILED, f"{source.name}: the kernel did not start ({error}); see its words above.")
    except KeyboardInterrupt:
        return NotebookEnd(Outcome.STOPPED, f"{source.name}: interrupted.")
    return NotebookEnd(Outcome.DONE)


def _execute(
    notebook: Path,
    target: Path,
    *,
    parameters: Mapping[str, Any],
    kernel_name: str,
    folder: Path,
    words: tuple[Any, Any],
) -> None:
    """Let papermill run the cells in `folder`; `words` are where their stdout and stderr are shown, if anywhere."""
    papermill.execute_notebook(
        str(notebook),
        str(target),
        parameters=dict(parameters),
        engine_name=_ENGINE,
        kernel_name=kernel_name,
        language="python",
        progress_bar=False,
        stdout_file=words[0],
        stderr_file=words[1],
        cwd=str(folder),
    )


def read_notebook(source: Path) -> Any:
    """Return the notebook in a file. Raises ParamsError when it is not there, InterfaceError when it is broken."""
    try:
        notebook = nbformat.read(source, as_version=4)
        nbformat.validate(notebook)
    except FileNotFoundError as error:
        found = ", ".join(sorted(p.name for p in source.parent.glob("*.ipynb"))) or "none"
        raise ParamsError(f"Notebook {source.name} is not in {source.parent}; notebooks there: {found}.") from error
    except Exception as error:  # nbformat raises its own, json's and validation errors for a broken file
        raise InterfaceError(f"{source} is not a readable notebook: {error}.") from error
    return notebook


def kernel_of(source: Path) -> str:
    """Return the kernel a notebook names; one stripped of its metadata names none and gets Python's usual one."""
    return str(read_notebook(source).metadata.get("kernelspec", {}).get("name") or "python3")


def check_parameters(source: Path, parameters: Mapping[str, Any]) -> None:
    """Raise unless the notebook has a cell tagged `parameters` that assigns what `parameters` give."""
    parameters_cell.check_parameters(source, read_notebook(source).cells, parameters)


def _cell_failure(source: Path, target: Path, error: PapermillExecutionError) -> NotebookEnd:
    if error.ename == "Unchanged":
        return NotebookEnd(Outcome.UNCHANGED, error.evalue)
    if error.ename == "StopStep":
        return NotebookEnd(Outcome.STOPPED, error.evalue)
    where = f"{source.name}, {_failed_cell(target, error)}"
    if error.ename == "KeyboardInterrupt":
        return NotebookEnd(Outcome.STOPPED, f"{where}: interrupted.")
    kind = getattr(errors, error.ename, None)
    ours = isinstance(kind, type) and issubclass(kind, SinaraError)
    text = error.evalue if ours else f"{error.ename}: {error.evalue}"
    if _NO_SPACE in text and kind is not errors.StoreUnavailableError:
        text += " Free space on that disk, or put the store elsewhere (SINARA_<ENV>_ROOT) and the work files (TMPDIR)."
    return NotebookEnd(Outcome.FAILED, f"{where}: {text}")


def _failed_cell(target: Path, error: PapermillExecutionError) -> str:
    """Name the failed cell by the heading above it; papermill has put two marks of its own before it."""
    titles = cell_titles(nbformat.read(target, as_version=4).cells)
    title = titles.get(error.cell_index + 2)
    return f"'{title}'" if title else f"cell [{error.exec_count}]"


class _Engine(Engine):  # type: ignore[misc]
    """papermill's way of running cells, which also says which cell it is at and hands Ctrl-C to the kernel."""

    @classmethod
    def execute_managed_notebook(
        cls, nb_man: Any, kernel_name: str, *, stdout_file: Any, stderr_file: Any, start_timeout: int, **_: Any
    ) -> Any:
        """Run the notebook held by `nb_man`, announcing each code cell by the heading above it."""
        _announce_cells(nb_man)
        with work_folder("sinara-kernel-", within=short_folder()) as sockets:
            client = PapermillNotebookClient(
                nb_man,
                kernel_name=kernel_name,
                startup_timeout=start_timeout,
                stdout_file=stdout_file,
                stderr_file=stderr_file,
                config=_kernel_config(str(sockets)),
                # A kernel told to end calls that an error, hence the level.
                extra_arguments=["--IPKernelApp.log_level=CRITICAL", "--ext=sinara_lib.runs.shell_commands"],
            )
            with _interrupts_reach(client):
                return client.execute()


def _kernel_config(sockets: str) -> Config:
    """Let the kernel's messages go over files of this user, not over ports of this machine; Windows has ports only.

    Each kernel has a folder of its own: by default the files lie in the step's folder, where two runs would share them.
    """
    if os.name == "nt":
        return Config()
    return Config({"KernelManager": {"transport": "ipc", "ip": f"{sockets}/kernel"}})


def _announce_cells(nb_man: Any) -> None:
    titles = cell_titles(nb_man.nb.cells)
    begin = nb_man.cell_start

    def announce(cell: Any, cell_index: int | None = None, **rest: Any) -> None:
        if cell_index in titles:
            log.info("  [%d/%d] %s", list(titles).index(cell_index) + 1, len(titles), titles[cell_index])
        begin(cell, cell_index=cell_index, **rest)

    nb_man.cell_start = announce


@contextmanager
def _interrupts_reach(client: Any) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM interrupt the running cell, so that its state is kept; the next one is ours."""
    if os.name == "nt" or threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM)}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def interrupt(number: int, frame: Any) -> None:
        restore()
        provisioner = getattr(client.km, "provisioner", None)
        if provisioner is None or not provisioner.pid:
            raise KeyboardInterrupt
        log.warning("  interrupting; once more ends at once")
        os.kill(provisioner.pid, signal.SIGINT)

    for number in before:
        signal.signal(number, interrupt)
    try:
        yield
    finally:
        restore()


def cell_titles(cells: list[Any]) -> dict[int, str]:
    """Return, for each code cell's index, the nearest heading above it, else its first line."""
    titles, heading = {}, None
    for index, cell in enumerate(cells):
        if cell.cell_type == "markdown":
            lines = [line.lstrip("# ").strip() for line in cell.source.splitlines() if line.startswith("#")]
            heading = lines[-1] if lines else heading
        elif cell.cell_type == "code" and cell.source.strip() and _INJECTED_TAG not in cell.metadata.get("tags", []):
            titles[index] = heading or cell.source.strip().splitlines()[0]
    return titles


papermill_engines.register(_ENGINE, _Engine)
