"""What a command says, when nobody reads on: a closed or broken output never decides how the work ends."""

import os
import sys
from typing import Any, TextIO

_LAYOUT = "\n\r\t\u200c\u200d"


class Output:
    """A text stream that drops what it cannot hand on, as in `sinara run | head -1`; else it is the stream itself."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, or nowhere from the moment on that the reader has gone; return its length."""
        if self._stream.closed:
            return len(text)
        try:
            self._stream.write(text)
        except BrokenPipeError:
            self._turn_away()
        return len(text)

    def flush(self) -> None:
        """Hand on what is buffered."""
        if self._stream.closed:
            return
        try:
            self._stream.flush()
        except BrokenPipeError:
            self._turn_away()

    def _turn_away(self) -> None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), self._stream.fileno())

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


class PlainOutput:
    """A text stream for what notebooks print, names of strangers in it: nothing of it commands a terminal."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, with a mark in the place of each character that is not seen."""
        self._stream.write("".join(one if one.isprintable() or one in _LAYOUT else "\ufffd" for one in text))
        return len(text)

    def flush(self) -> None:
        """Hand on what is buffered."""
        self._stream.flush()


def keep_output_open() -> None:
    """Let stdout and stderr be open, whoever closed them, and let no reader who leaves end the work."""
    for name, number in (("stdout", 1), ("stderr", 2)):
        stream = getattr(sys, name)
        if stream is None:  # closed by the shell: the next file that is opened would take its number
            _open_nowhere(number)
            stream = open(number, "w", encoding="utf-8", closefd=False)
        if not isinstance(stream, Output):
            setattr(sys, name, Output(stream))


def _open_nowhere(number: int) -> None:
    try:
        os.fstat(number)
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), number)
