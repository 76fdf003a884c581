"""Which process a run lives in, and whether that process is still there.

A process is told by its boot, its process namespace, its number, and when it started: on Linux in clock ticks after the
boot, which no step of the wall clock moves. Elsewhere by the start that the system noted when it happened, in seconds
since 1970; macOS and Windows keep that note as it was made.
"""

import os
import socket
from pathlib import Path

import psutil

from sinara_lib.store.manifest import Process, RunRecord

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACES = Path("/proc/self/ns")
_SAME_BIRTH = 1.0
_START_FIELD = 22
"""Of /proc/<pid>/stat, see proc_pid_stat(5); counted from 1, and the third one follows the name in parentheses."""


def this_process() -> Process:
    """Describe the process that asks."""
    pid = os.getpid()
    return Process(machine=_machine(), pid=pid, born=psutil.Process(pid).create_time(), ticks=_ticks(pid))


def is_alive(record: RunRecord) -> bool | None:
    """Tell whether a run's process still runs; None when that cannot be known from here."""
    return None if record.process is None else is_process_alive(record.process)


def is_process_alive(process: Process) -> bool | None:
    """Tell whether a process still runs; None when that cannot be known from here.

    Another machine, container or boot is another world: its pids say nothing here. Nor does a record from before ticks
    were written, on a system that has them.
    """
    if process.machine != _machine():
        return None
    if not _BOOT.is_file():
        return _is_alive_by_birth(process)
    if process.ticks is None:
        return None
    ticks = _ticks(process.pid)
    if ticks is None:
        return None if _exists(process.pid) else False
    return ticks == process.ticks


def _is_alive_by_birth(process: Process) -> bool | None:
    try:
        born = float(psutil.Process(process.pid).create_time())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return None
    return abs(born - process.born) < _SAME_BIRTH


def _ticks(pid: int) -> int | None:
    """Return when a process started, in clock ticks after the boot; None where nothing says so."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
    except OSError:
        return None
    return int(fields[_START_FIELD - 3])


def _exists(pid: int) -> bool:
    """Tell whether there is such a process, also where another user's are hidden."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True


def _machine() -> str:
    """Name the world in which pids and ticks mean something: host, boot, and the namespaces of pids and of time."""
    boot = _BOOT.read_text(encoding="ascii").strip() if _BOOT.is_file() else "boot"
    links = [_NAMESPACES / name for name in ("pid", "time")]
    namespaces = [os.readlink(link) for link in links if link.is_symlink()] or ["pid"]
    return "/".join([socket.gethostname(), boot, *namespaces])
