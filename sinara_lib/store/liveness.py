"""Which process a run lives in, and whether that process is still there."""

import os
import socket
from pathlib import Path

import psutil

from sinara_lib.store.manifest import Process, RunRecord

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_PID_NAMESPACE = Path("/proc/self/ns/pid")
_SAME_BIRTH = 1.0


def this_process() -> Process:
    """Describe the process that asks."""
    process = psutil.Process()
    return Process(machine=_machine(), pid=process.pid, born=process.create_time())


def is_alive(record: RunRecord) -> bool | None:
    """Tell whether a run's process still runs; None when that cannot be known from here.

    Another machine, container or boot is another world: its pids say nothing here.
    """
    if record.process is None or record.process.machine != _machine():
        return None
    try:
        born = float(psutil.Process(record.process.pid).create_time())
    except psutil.NoSuchProcess:
        return False
    except psutil.AccessDenied:
        return None
    return abs(born - record.process.born) < _SAME_BIRTH


def _machine() -> str:
    boot = _BOOT.read_text(encoding="ascii").strip() if _BOOT.is_file() else f"{psutil.boot_time():.0f}"
    namespace = os.readlink(_PID_NAMESPACE) if _PID_NAMESPACE.is_symlink() else "pid"
    return f"{socket.gethostname()}/{boot}/{namespace}"
