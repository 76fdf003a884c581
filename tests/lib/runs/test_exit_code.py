"""How a command ends."""

import logging
import os
import signal
from collections.abc import Iterator

import pytest

from sinara_lib.errors import DataError, QualityGateError, StopStep
from sinara_lib.runs.exit_code import exit_code_of


@pytest.fixture(autouse=True)
def _process_as_before() -> Iterator[None]:
    """Put back what a command sets for its process: the log and the answer to SIGTERM."""
    root, handler = logging.getLogger(), signal.getsignal(signal.SIGTERM)
    before = root.handlers[:]
    yield
    root.handlers[:] = before
    signal.signal(signal.SIGTERM, handler)


def _end(error: BaseException | None) -> int:
    def work() -> None:
        if error is not None:
            raise error

    return exit_code_of(work)


def test_work_that_is_done_gives_0_and_says_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert _end(None) == 0
    assert capsys.readouterr().out == ""


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (DataError("No images in a.zip."), 1, "failed: No images in a.zip."),
        (QualityGateError("AP50 0.1 is below 0.5."), 1, "failed: AP50 0.1 is below 0.5."),
        (StopStep("nothing new"), 254, "stopped: nothing new"),
        (KeyboardInterrupt(), 254, "stopped: interrupted."),
    ],
)
def test_each_way_to_end_has_its_code_and_one_readable_line(
    capsys: pytest.CaptureFixture[str], error: BaseException, code: int, told: str
) -> None:
    assert _end(error) == code
    assert capsys.readouterr().out == f"{told}\n"


def test_a_disk_error_names_path_and_remedy(capsys: pytest.CaptureFixture[str]) -> None:
    assert _end(OSError(28, "No space left on device", "/data/part-0")) == 1
    told = capsys.readouterr().out
    assert told.startswith("failed: No space left on device (/data/part-0). Check that the disk has space")
    assert "SINARA_<ENV>_ROOT" in told


def test_sigterm_ends_like_ctrl_c(capsys: pytest.CaptureFixture[str]) -> None:
    assert exit_code_of(lambda: os.kill(os.getpid(), signal.SIGTERM)) == 254
    assert "stopped: interrupted." in capsys.readouterr().out


def test_a_mistake_of_the_program_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError):
        _end(ZeroDivisionError())
