"""Processes of a test's own that share nothing with it but the environment variables."""

import multiprocessing
import os
from collections.abc import Callable
from multiprocessing.context import ForkServerProcess
from typing import Any

# Children of a fork server know neither the test's threads nor its event loop; those of a plain fork would break
# the loop that s3fs keeps in this process.
_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["sinara_lib.store", "s3fs"])


def start_child(work: Callable[..., Any], *args: Any, **kwargs: Any) -> ForkServerProcess:
    """Start a function of a module in a new process, with the environment variables of now."""
    process = _CONTEXT.Process(target=_call, args=(work, dict(os.environ), args, kwargs))
    process.start()
    return process


def exit_code(process: ForkServerProcess, *, seconds: float = 60) -> int:
    """Wait for a child's end and return its exit code; that of a signal is negative."""
    process.join(seconds)
    assert process.exitcode is not None, f"still alive after {seconds} s"
    return process.exitcode


def _call(work: Callable[..., Any], environ: dict[str, str], args: Any, kwargs: Any) -> None:
    os.environ.clear()
    os.environ.update(environ)
    work(*args, **kwargs)
