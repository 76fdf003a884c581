"""A proxy of the environment never sees a request to this machine."""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import sinara_lib.container
from download_cases import BODY, obtain
from faulty_server import FaultyServer, running, status, whole
from sinara_lib.bento.server import BentoServer, wait_until_ready
from sinara_lib.loopback import is_loopback, open_directly, web_session, without_proxy
from sinara_lib.store.root import connect


@pytest.fixture
def proxy(monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """A proxy that the environment names for everything, which refuses what it is asked."""
    with running() as proxy:
        for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy", "ALL_PROXY"):
            monkeypatch.setenv(name, proxy.url)
        for name in ("no_proxy", "NO_PROXY"):
            monkeypatch.delenv(name, raising=False)
        yield proxy


@pytest.mark.parametrize(
    ("url", "found"),
    [
        ("http://127.0.0.1:3000/x", True),
        ("http://127.8.9.1", True),
        ("HTTP://LocalHost:3000", True),
        ("http://localhost./x", True),
        ("http://a.localhost/x", True),
        ("http://[::1]:3000/x", True),
        ("http://[::ffff:127.0.0.1]/x", True),
        ("http://0.0.0.0:3000", True),
        ("http://127.1/x", True),
        ("http://me:word@127.0.0.1/x", True),
        ("http://notlocalhost/x", False),
        ("http://127.0.0.1.example.org/x", False),
        ("http://10.0.0.1/x", False),
        ("http://[::1/x", False),
        ("s3://bucket/x", False),
        ("", False),
    ],
)
def test_this_machine_is_told_from_others(url: str, found: bool) -> None:
    assert is_loopback(url) is found


def test_our_own_server_is_asked_without_the_proxy(proxy: FaultyServer, server: FaultyServer) -> None:
    url = server.serve("/readyz", whole(b"ready"))
    with open_directly(url, timeout=5) as answer, web_session() as session:
        assert (answer.read(), session.get(url).content) == (b"ready", b"ready")
    assert proxy.asked == []


def test_a_served_bento_is_found_ready_behind_a_proxy(proxy: FaultyServer, server: FaultyServer) -> None:
    host, port = server.serve("/readyz", whole(b"ready")).split("/")[2].split(":")
    with subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"]) as process:
        try:
            wait_until_ready(BentoServer(process, host, int(port), None), seconds=5)
        finally:
            process.kill()
    assert proxy.asked == []


def test_downloads_from_this_machine_pass_the_proxy_by_and_others_do_not(
    proxy: FaultyServer, server: FaultyServer, tmp_path: Path
) -> None:
    assert obtain(server.serve("/a.zip", whole(BODY)), tmp_path).path.read_bytes() == BODY
    assert proxy.asked == []
    with web_session() as session:
        assert session.get("http://example.invalid/a.zip").status_code == 404
    assert len(proxy.asked) == 1


def test_a_redirect_to_this_machine_passes_the_proxy_by(proxy: FaultyServer, server: FaultyServer) -> None:
    url = server.serve("/a.zip", whole(BODY))
    proxy.answers["http://example.invalid/a.zip"] = [status(302, headers={"Location": url})]
    with web_session() as session:
        assert session.get("http://example.invalid/a.zip").content == BODY
    assert len(proxy.asked) == 1


def test_the_health_check_of_the_image_passes_the_proxy_by(proxy: FaultyServer, server: FaultyServer) -> None:
    text = (Path(sinara_lib.container.__path__[0]) / "Containerfile").read_text()
    command = json.loads(re.search(r"HEALTHCHECK .*? CMD (\[.*?\])\n", text.replace("\\\n", ""), re.DOTALL)[1])  # type: ignore[index]
    port = server.serve("/readyz", whole(b"ready")).split("/")[2].split(":")[1]
    done = subprocess.run(
        [sys.executable, *command[1:]], env={**os.environ, "BENTOML_PORT": port}, capture_output=True, timeout=30
    )
    assert (done.returncode, proxy.asked) == (0, []), done.stderr


def test_a_store_of_s3_on_this_machine_passes_the_proxy_by(proxy: FaultyServer, s3_root: str) -> None:
    fs, path, _ = connect(s3_root)
    assert fs.exists(path.partition("/")[0])
    assert proxy.asked == []


@pytest.mark.parametrize(
    ("environ", "told"),
    [
        ({"http_proxy": "http://p"}, "localhost,127.0.0.1,::1"),
        ({"http_proxy": "http://p", "NO_PROXY": "a.example, 127.0.0.1"}, "a.example,127.0.0.1,localhost,::1"),
        ({"http_proxy": "http://p", "no_proxy": "*"}, "*"),
        ({"PATH": "/bin"}, None),
    ],
)
def test_hosts_that_are_named_stay_named_beside_this_machine(environ: dict[str, str], told: str | None) -> None:
    assert without_proxy(environ).get("no_proxy") == told
