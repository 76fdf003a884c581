"""A bento as a running server: start it, wait until it answers, stop it."""

import json
import logging
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
from collections.abc import Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path

from sinara_lib.bento.build import bento_environment
from sinara_lib.errors import SinaraError
from sinara_lib.loopback import open_directly

START_SECONDS = 90.0
GRACE_SECONDS = 9
"""How long requests in flight may take to end: longer than the service's own deadline, shorter than `docker stop`."""
STOP_SECONDS = 12.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class BentoServer:
    """A server process and where it listens."""

    process: "subprocess.Popen[bytes]"
    host: str
    port: int
    log: Path | None
    """File with its output; None when it writes to the terminal."""

    @property
    def url(self) -> str:
        """Address of the service, without a slash at its end."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"


def start_server(
    bento: Path,
    work: Path,
    *,
    host: str,
    port: int,
    quiet: bool,
    workers: int | None = None,
    settings: Mapping[str, str] | None = None,
) -> BentoServer:
    """Start the bento unzipped in `bento` as a child process; port 0 takes a free one. Does not wait.

    `work` holds BentoML's own files and, when `quiet`, the server's log; `workers` are processes, None leaves their
    number to the environment, in which `settings` replace what is set. Raises SinaraError when the port is taken.
    """
    port = _check_port(host, port)
    command = [sys.executable, "-m", "bentoml", "serve", str(bento.resolve()), "--host", host, "--port", str(port)]
    command += ["--timeout-graceful-shutdown", str(GRACE_SECONDS)]
    environment = bento_environment(work) | dict(settings or {})
    environment |= {} if workers is None else {"SERVICE_WORKERS": str(workers)}
    environment["SERVICE_STARTER"] = str(os.getpid())  # the server ends with us, also when we are killed
    log = work / "server.log" if quiet else None
    with log.open("wb") if log else nullcontext() as output:
        # A session of its own: Ctrl-C in the terminal reaches us alone, and we end the server in good order.
        process = subprocess.Popen(
            command, env=environment, stdout=output, stderr=output, start_new_session=True, cwd=work
        )
    return BentoServer(process=process, host=host, port=port, log=log)


def wait_until_ready(server: BentoServer, *, seconds: float = START_SECONDS) -> None:
    """Wait until the server is ready to answer.

    Raises SinaraError with its last lines when it ends, says that it will not become ready, or stays silent for
    `seconds`.
    """
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        if server.process.poll() is not None:
            raise SinaraError(
                f"The service ended at its start, exit code {server.process.returncode}.{_last_lines(server)}"
            )
        reason = _why_not_ready(f"{server.url}/readyz")
        if reason is None:
            return
        if reason:
            raise SinaraError(f"The service at {server.url} is not ready: {reason}.{_last_lines(server)}")
        time.sleep(0.2)
    raise SinaraError(f"The service did not become ready at {server.url} in {seconds:.0f} s.{_last_lines(server)}")


def stop_server(server: BentoServer) -> None:
    """End the server: requests in flight are answered first, for at most nine seconds."""
    server.process.terminate()
    try:
        server.process.wait(STOP_SECONDS)
    except subprocess.TimeoutExpired:
        logger.warning("The service at %s did not end in %.0f s and is killed.", server.url, STOP_SECONDS)
        with suppress(ProcessLookupError):
            os.killpg(server.process.pid, signal.SIGKILL)
        server.process.wait()


def _check_port(host: str, port: int) -> int:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            raise SinaraError(
                f"Cannot listen on {host} port {port} ({error.strerror}); choose another port."
            ) from error
        return int(probe.getsockname()[1])


def _why_not_ready(url: str) -> str | None:
    """None: it is ready. Empty: not yet. Else: the reason why it will not be."""
    try:
        with open_directly(url, timeout=2) as response:
            return None if response.status == 200 else ""
    except urllib.error.HTTPError as refusal:
        return _lasting_reason(refusal.read())
    except OSError:
        return ""


def _lasting_reason(body: bytes) -> str:
    try:
        error = json.loads(body)["error"]
        return str(error["message"]) if error["code"] == "not_ready" else ""
    except (ValueError, TypeError, KeyError):
        return ""


def _last_lines(server: BentoServer) -> str:
    if server.log is None or not server.log.is_file():
        return ""
    lines = server.log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-15:]
    return "\nIts last lines:\n" + "\n".join(lines)
