"""git does what it is asked, on the repository it is asked about, and its failures are told in its own words."""

import os
from pathlib import Path

import pytest

from git_cases import add_hook, commit_all, hook_variables, make_repository
from sinara_lib.errors import StepFailedError
from sinara_lib.runs.checkout import current_branch, read_producer, uncommitted_files
from sinara_lib.runs.code_identity import code_of
from sinara_lib.runs.git import repository_of
from sinara_lib.runs.run_tags import tag_head
from sinara_lib.runs.worktrees import head_worktree
from step_cases import git


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository of ours; git's settings are those of the repositories alone."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    return make_repository(tmp_path / "ours")


def test_variables_that_git_sets_for_a_hook_of_another_repository_decide_nothing(
    ours: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = make_repository(tmp_path / "other")
    (other / "b.py").write_text("B = 1\n")
    commit_all(other)
    expected = read_producer(ours / "step")
    before = git(other, "rev-parse", "HEAD"), git(other, "status", "--porcelain")
    for name, value in (hook_variables(other) | {"GIT_CONFIG_COUNT": "x"}).items():
        monkeypatch.setenv(name, value)
    assert read_producer(ours / "step") == expected
    assert (uncommitted_files(ours), current_branch(ours), repository_of(ours)) == ([], "main", ours)
    with head_worktree(ours / "step") as tree:
        assert (tree / "a.py").read_text() == "A = 1\n"
        tag_head(tree, "run-1", message="m", push=False)
    for name in (*hook_variables(other), "GIT_CONFIG_COUNT"):
        monkeypatch.delenv(name)
    assert (git(ours, "tag"), git(other, "tag")) == ("run-1", "")
    assert (git(other, "rev-parse", "HEAD"), git(other, "status", "--porcelain")) == before


@pytest.mark.parametrize("which", ["a broken repository", "no git on the PATH"])
def test_a_failure_of_git_is_not_taken_for_no_repository(
    ours: Path, which: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    if which == "no git on the PATH":
        monkeypatch.setenv("PATH", "")
        words = "git was not found on the PATH"
    else:
        (ours / ".git" / "HEAD").unlink()
        words = "fatal: not a git repository"
    assert read_producer(ours / "step").commit is None
    assert "will not be recorded" in caplog.text
    assert words in caplog.text
    with pytest.raises(StepFailedError, match=words), head_worktree(ours / "step"):
        pass


def test_of_another_users_clone_gits_own_words_are_told(
    ours: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")  # git's own way to try what another owner means
    assert read_producer(ours / "step").commit is None
    assert "detected dubious ownership in repository" in caplog.text
    with pytest.raises(StepFailedError, match=r"dubious ownership .*(\n.*)*safe\.directory"), head_worktree(ours):
        pass


def test_a_folder_in_no_repository_needs_no_git(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setenv("PATH", "")
    assert read_producer(tmp_path).commit is None
    assert caplog.text == ""


def test_file_names_of_any_bytes_are_told_apart_and_shown(ours: Path) -> None:
    names = [b"\xff.py", b"line\nbreak.py", b'quo"te.py', "ü ü.py".encode()]
    for name in names:
        (ours / os.fsdecode(name)).write_text("")
    assert uncommitted_files(ours) == ["line\nbreak.py", 'quo"te.py', "ü ü.py", r"\xff.py"]
    git(ours, "config", "status.showUntrackedFiles", "no")
    git(ours, "mv", "step/a.py", "step/b.py")
    assert uncommitted_files(ours)[:2] == ["step/a.py", "step/b.py"]
    assert len(uncommitted_files(ours)) == 2 + len(names)


def test_a_repository_whose_own_name_is_no_utf_8_has_a_worktree(tmp_path: Path, ours: Path) -> None:
    odd = ours.rename(Path(os.fsdecode(bytes(tmp_path) + b"/o\xff\nd")))
    with head_worktree(odd / "step") as tree:
        assert (tree / "a.py").read_text() == "A = 1\n"
        assert len(list((odd / ".git" / "worktrees").iterdir())) == 1
    assert not list((odd / ".git").glob("worktrees/*"))


def test_no_hook_and_no_watcher_of_a_repository_runs(ours: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    for name in ("post-checkout", "reference-transaction", "post-index-change", "pre-push", "watch"):
        add_hook(ours, name, f"echo {name} >> {ran}; exit 2")
    git(ours, "config", "core.fsmonitor", str(ours / ".git" / "hooks" / "watch"))
    assert read_producer(ours / "step").commit is not None
    code_of(ours)
    with head_worktree(ours / "step") as tree:
        tag_head(tree, "run-1", message="m", push=False)
    assert not ran.exists()
