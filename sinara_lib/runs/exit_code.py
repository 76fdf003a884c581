"""How a command ends: its exit code, and one readable message when it did not do what it was asked."""

import logging
import signal
import sys
from collections.abc import Callable

from sinara_lib.errors import SinaraError, StopStep
from sinara_lib.progress import PlainLines
from sinara_lib.runs.output import keep_output_open

DONE, FAILED, STOPPED = 0, 1, 254

log = logging.getLogger(__name__)


def exit_code_of(work: Callable[[], None]) -> int:
    """Do `work`, with the library's log on the terminal, and return the process's exit code.

    0 done, 1 failed, 254 stopped on purpose: by StopStep, Ctrl-C or SIGTERM.
    """
    keep_output_open()
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(PlainLines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("sinara_lib").setLevel(logging.INFO)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        work()
    except StopStep as stop:
        log.warning("stopped: %s", stop)
        return STOPPED
    except KeyboardInterrupt:
        log.warning("stopped: interrupted.")
        return STOPPED
    except SinaraError as error:
        log.error("failed: %s", error)  # noqa: TRY400 - the message is made for the reader; a traceback hides it
        return FAILED
    except OSError as error:
        log.error("failed: %s", _os_failure(error))  # noqa: TRY400 - as above
        return FAILED
    return DONE


def _os_failure(error: OSError) -> str:
    return (
        f"{error.strerror or error} ({error.filename or 'no path'}). Check that the disk has space and may be written; "
        "SINARA_<ENV>_ROOT puts the store elsewhere, TMPDIR the work files."
    )
