"""The password in a git URL reaches the server that the URL names, and no list of processes, file or message."""

import base64
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import platformdirs
import pytest

from faulty_server import Answer, FaultyServer, running, status
from git_cases import commit_all, make_repository
from sinara_lib.errors import StepFailedError
from sinara_lib.repositories.clones import clone_of
from sinara_lib.runs.git import GitError, push_target, run_git
from step_cases import git

USER, PASSWORD = "m:e", "pl4nted/@"
WRITTEN = "m%3Ae:pl4nted%2F%40"


@pytest.fixture(autouse=True)
def _own_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: str(tmp_path / "cache"))


@pytest.fixture
def processes() -> list[bytes]:
    """The command lines of all processes, as they were whenever the server was asked."""
    return []


@pytest.fixture
def guarded(server: FaultyServer, processes: list[bytes]) -> Callable[[Path], str]:
    """Serves a repository to those who know the password, and returns its URL."""

    def serve(repository: Path) -> str:
        git(repository, "update-server-info")
        for path in (repository / ".git").rglob("*"):
            if path.is_file():
                name = str(path.relative_to(repository / ".git"))
                server.serve(f"/step.git/{name}", _if_known(path.read_bytes(), processes))
        return server.url.replace("//", f"//{WRITTEN}@") + "/step.git"

    return serve


def _if_known(body: bytes, processes: list[bytes]) -> Answer:
    expected = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()

    def answer(handler: BaseHTTPRequestHandler) -> None:
        for process in Path("/proc").glob("[0-9]*/cmdline"):
            try:
                processes.append(process.read_bytes())
            except OSError:  # it has ended
                continue
        known = handler.headers.get("Authorization") == expected
        status(200 if known else 401, body=body, headers={} if known else {"WWW-Authenticate": "Basic"})(handler)

    return answer


def _holders(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file() and b"pl4nted" in path.read_bytes()]


def test_a_clone_and_its_update_know_the_password_and_nobody_else_sees_it(
    guarded: Callable[[Path], str], processes: list[bytes], tmp_path: Path
) -> None:
    repository = make_repository(tmp_path / "far")
    url = guarded(repository)
    clone = clone_of(url)
    git(clone, "config", "remote.origin.url", url)  # as older versions left it
    (repository / "step" / "b.py").write_text("B = 1\n")
    guarded(commit_all(repository))
    assert clone_of(url) == clone
    assert (clone / "step" / "b.py").read_text() == "B = 1\n"
    assert [line for line in processes if b"git-remote-http" in line]
    assert [line for line in processes if b"pl4nted" in line] == []
    assert _holders(tmp_path) == []


def test_a_push_hides_the_password_of_its_origin(
    guarded: Callable[[Path], str], processes: list[bytes], tmp_path: Path
) -> None:
    repository = make_repository(tmp_path / "far")
    git(repository, "remote", "add", "origin", guarded(repository))
    with pytest.raises(GitError) as refusal:  # what is served so can only be read
        run_git(repository, "push", "--dry-run", push_target(repository), "HEAD:refs/tags/a")
    assert [line for line in processes if b"git-remote-http" in line]
    assert [line for line in processes if b"pl4nted" in line] == []
    assert "pl4nted" not in str(refusal.value)


def test_the_password_goes_to_no_host_that_the_server_names(server: FaultyServer, tmp_path: Path) -> None:
    with running() as other:
        refs = "/step.git/info/refs"
        server.serve(refs, status(302, headers={"Location": f"{other.url}{refs}?service=git-upload-pack"}))
        other.serve(refs, status(401, headers={"WWW-Authenticate": "Basic"}))
        with pytest.raises(StepFailedError, match="could not read Username"):
            clone_of(server.url.replace("//", f"//{WRITTEN}@") + "/step.git")
        assert len(other.asked) >= 1
        assert [asked for asked in other.asked if "Authorization" in asked] == []


def test_a_user_without_a_password_is_left_to_the_helpers_of_this_machine(
    guarded: Callable[[Path], str], tmp_path: Path
) -> None:
    url = guarded(make_repository(tmp_path / "far")).replace(":pl4nted%2F%40", "")
    with pytest.raises(StepFailedError, match="could not read Password"):
        clone_of(url)
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text(f'[credential]\nhelper = "!echo password={PASSWORD}; true"\n')
    assert (clone_of(url) / "step" / "a.py").is_file()


@pytest.mark.parametrize("proxied", ["http_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"])
def test_a_repository_on_this_machine_is_reached_without_a_proxy(
    guarded: Callable[[Path], str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, proxied: str
) -> None:
    url = guarded(make_repository(tmp_path / "far"))
    with running() as proxy:
        monkeypatch.setenv(proxied, proxy.url)
        monkeypatch.setenv("NO_PROXY", "elsewhere.example")
        monkeypatch.delenv("no_proxy", raising=False)
        assert (clone_of(url) / "step" / "a.py").is_file()
        assert proxy.asked == []
