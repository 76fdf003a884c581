"""Progress bars and plain log lines."""

import io
import logging
import os
from pathlib import Path

import pytest

from sinara_lib.progress import PlainLines, progress, show_log
from sinara_lib.runs.output import PlainOutput

pytestmark = pytest.mark.usefixtures("log_as_before")


def test_nothing_is_drawn_where_nobody_watches(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("SINARA_PROGRESS", raising=False)
    assert list(progress(range(3), label="pack")) == [0, 1, 2]
    assert capsys.readouterr().err == ""


def test_a_terminal_is_drawn_on(monkeypatch: pytest.MonkeyPatch) -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    terminal = Terminal()
    monkeypatch.delenv("SINARA_PROGRESS", raising=False)
    monkeypatch.setattr("sys.stderr", terminal)
    list(progress(range(3), label="pack"))
    assert "pack" in terminal.getvalue()


def test_under_a_step_its_terminal_decides(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SINARA_PROGRESS", "1")
    with progress(label="download", total=3_000_000, unit="B") as bar:
        bar.update(3_000_000)
        bar.refresh()
    drawn = capsys.readouterr().err
    assert "download" in drawn
    assert "3.00M/3.00M" in drawn
    monkeypatch.setenv("SINARA_PROGRESS", "0")
    list(progress(range(3), label="pack"))
    assert capsys.readouterr().err == ""


def test_the_library_speaks_in_plain_lines_and_others_only_in_warnings(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)  # what lies below the working folder is the step's own
    show_log()
    logging.getLogger("sinara_lib.store").info("published %s", "images")
    logging.getLogger("matplotlib").info("chatter")
    logging.getLogger("matplotlib").warning("a real warning")
    assert capsys.readouterr().out == "published images\na real warning\n"


def test_the_steps_own_rooms_speak_and_what_is_installed_below_it_does_not(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    show_log()
    for place in ("step.py", "label_formats/voc.py", ".venv/lib/site-packages/other/speak.py", "x/../../elsewhere.py"):
        record = logging.LogRecord("any", logging.INFO, os.path.normpath(tmp_path / place), 1, place, None, None)
        logging.getLogger().handle(record)
    logging.getLogger("sinara_library").info("not ours by half a name")
    assert capsys.readouterr().out == "step.py\nlabel_formats/voc.py\n"


def test_what_is_logged_and_what_notebooks_print_holds_nothing_that_a_terminal_obeys() -> None:
    record = logging.LogRecord(
        "a", logging.INFO, "", 0, "%s is\nkept: https://me:secret@host/a", ("\x1b[31mx\r",), None
    )
    line, second = PlainLines().format(record).split("\n")
    assert not [sign for sign in line if not sign.isprintable()]
    assert ("x" in line, second) == (True, "kept: https://host/a")
    stream = io.StringIO()
    PlainOutput(stream).write("10%\r\x1b]0;taken\x07 caf\u00e9\n\tnext\u202e")
    assert stream.getvalue() == "10%\r\ufffd]0;taken\ufffd caf\u00e9\n\tnext\ufffd"
