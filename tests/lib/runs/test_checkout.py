"""What git tells of a step's folder, and the worktree of HEAD."""

import subprocess
from pathlib import Path

import pytest

from sinara_lib.errors import StepFailedError
from sinara_lib.runs.checkout import current_branch, current_user, read_producer, uncommitted_files
from sinara_lib.runs.run_tags import tag_head
from sinara_lib.runs.worktrees import commit_worktree, head_worktree


def _git(folder: Path, *args: str) -> str:
    done = subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one committed step; git knows no user."""
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    folder = tmp_path / "project"
    (folder / "step").mkdir(parents=True)
    (folder / "step" / "a.py").write_text("A = 1\n")
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "add", "-A")
    _git(folder, "-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-q", "-m", "first")
    return folder


def test_outside_a_repository_only_the_library_is_known(tmp_path: Path) -> None:
    producer = read_producer(tmp_path)
    assert (producer.origin, producer.commit, producer.uncommitted) == (None, None, False)
    assert producer.library.startswith("sinara_lib ")
    assert current_branch(tmp_path) is None


def test_the_producer_names_commit_and_whether_there_was_uncommitted_work(repository: Path) -> None:
    head = _git(repository, "rev-parse", "HEAD")
    assert (read_producer(repository / "step").commit, read_producer(repository).uncommitted) == (head, False)
    (repository / "new.txt").write_text("")
    (repository / "step" / "a.py").write_text("A = 2\n")
    assert read_producer(repository / "step").uncommitted
    assert uncommitted_files(repository / "step") == ["step/a.py", "new.txt"]


@pytest.mark.parametrize(
    ("origin", "shown"),
    [
        ("https://me:secret@host:8443/org/step.git", "https://host:8443/org/step.git"),
        ("https://token@host/org/step.git", "https://host/org/step.git"),
        ("git@host:org/step.git", "git@host:org/step.git"),
        ("https://host/org/step.git", "https://host/org/step.git"),
    ],
)
def test_the_origin_is_told_without_credentials(repository: Path, origin: str, shown: str) -> None:
    _git(repository, "remote", "add", "origin", origin)
    assert read_producer(repository).origin == shown


def test_the_branch_is_known_and_a_detached_head_is_on_none(repository: Path) -> None:
    assert current_branch(repository) == "main"
    _git(repository, "checkout", "-q", "--detach")
    assert current_branch(repository) is None


def test_a_worktree_holds_head_and_is_removed_afterwards(repository: Path) -> None:
    (repository / "step" / "a.py").write_text("A = 2\n")
    with head_worktree(repository / "step") as tree:
        assert tree.name == "step"
        assert (tree / "a.py").read_text() == "A = 1\n"
        (tree / "made.txt").write_text("left by the run")
    assert not tree.exists()
    assert _git(repository, "worktree", "list").count("\n") == 0
    assert (repository / "step" / "a.py").read_text() == "A = 2\n"


def test_a_worktree_is_removed_when_the_run_fails(repository: Path) -> None:
    with pytest.raises(KeyboardInterrupt), head_worktree(repository):
        raise KeyboardInterrupt
    assert _git(repository, "worktree", "list").count("\n") == 0


def test_a_folder_that_is_not_part_of_head_is_refused(repository: Path) -> None:
    (repository / "draft").mkdir()
    with (
        pytest.raises(StepFailedError, match=r"draft is not part of HEAD: commit the step"),
        head_worktree(repository / "draft"),
    ):
        pass
    assert _git(repository, "worktree", "list").count("\n") == 0


def test_a_tag_is_annotated_also_where_git_knows_no_user(repository: Path) -> None:
    tag_head(repository, "run-1", message="file:///run", push=False)
    assert _git(repository, "cat-file", "-t", "run-1") == "tag"
    assert _git(repository, "tag", "-l", "--format=%(contents)") == "file:///run"


def test_where_a_name_may_not_be_guessed_the_tag_bears_ours_with_the_address_that_is_known(repository: Path) -> None:
    _git(repository, "config", "user.useConfigOnly", "true")
    _git(repository, "config", "user.email", "me@example.com")
    tag_head(repository, "run-1", message="m", push=False)
    assert _git(repository, "tag", "-l", "--format=%(taggername) %(taggeremail)") == "sinara <me@example.com>"


def test_a_tag_that_stands_on_head_stays_and_one_elsewhere_is_an_error(repository: Path) -> None:
    tag_head(repository, "run-1", message="first step", push=False)
    tag_head(repository, "run-1", message="second step", push=False)
    assert _git(repository, "tag", "-l", "--format=%(contents)") == "first step"
    _git(repository, "-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-q", "--allow-empty", "-m", "2")
    with pytest.raises(StepFailedError, match=r"tag 'run-1' already exists"):
        tag_head(repository, "run-1", message="x", push=False)


def test_a_push_that_fails_is_told_in_gits_words(repository: Path) -> None:
    with pytest.raises(StepFailedError, match=r"`git remote get-url --push origin` in .* failed: .*origin"):
        tag_head(repository, "run-1", message="x", push=True)


def test_without_git_the_remedy_is_named(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    with pytest.raises(StepFailedError, match=r"git was not found on the PATH"):
        uncommitted_files(repository)
    assert read_producer(repository).commit is None


def test_an_older_commit_is_given_as_it_was_and_its_worktree_goes_away(repository: Path) -> None:
    first = _git(repository, "rev-parse", "HEAD")
    (repository / "step" / "a.py").write_text("A = 2\n")
    _git(repository, "-c", "user.name=T", "-c", "user.email=t@example.com", "commit", "-qam", "second")
    with commit_worktree(repository / "step", first) as tree:
        assert (tree / "a.py").read_text() == "A = 1\n"
    assert not tree.exists()
    assert (repository / "step" / "a.py").read_text() == "A = 2\n"


def test_a_commit_that_the_repository_lacks_is_named(repository: Path) -> None:
    with (
        pytest.raises(StepFailedError, match=r"project has no commit 0123456789: `git fetch`"),
        commit_worktree(repository / "step", "0123456789"),
    ):
        pass


def test_who_works_here_is_the_name_git_knows_else_the_login(repository: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LOGNAME", "ada")
    assert current_user(repository) == "ada"
    _git(repository, "config", "user.name", "Ada Example")
    assert current_user(repository) == "Ada Example"
