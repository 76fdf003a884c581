"""A worktree holds what was committed and nothing else, and no end of a process leaves one for good."""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from git_cases import commit_all, make_repository
from sinara_lib.errors import StepFailedError
from sinara_lib.runs.worktrees import head_worktree, remove_dead_worktrees
from step_cases import git

KILLED = """import os, signal, sys
from pathlib import Path
from sinara_lib.runs.worktrees import head_worktree
with head_worktree(Path(sys.argv[1])):
    os.kill(os.getpid(), signal.SIGKILL)"""


@pytest.fixture
def ours(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository; temporary files lie in a folder of the test's own, `tmp`."""
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    return make_repository(tmp_path / "ours")


def _worktrees(repository: Path) -> int:
    return git(repository, "worktree", "list").count("\n") + 1


def test_what_a_filter_changes_in_the_worktree_is_noticed_and_refused_and_no_remains_stay(
    ours: Path, tmp_path: Path
) -> None:
    (ours / ".gitattributes").write_text("*.py filter=other\n")
    commit_all(ours)
    git(ours, "config", "filter.other.smudge", "sed s/1/2/")
    with pytest.raises(StepFailedError, match=r"is not what was committed: step/a\.py differ"), head_worktree(ours):
        pass
    git(ours, "config", "filter.other.smudge", "false")
    git(ours, "config", "filter.other.required", "true")
    with pytest.raises(StepFailedError, match=r"smudge filter .*failed"), head_worktree(ours):
        pass
    assert (_worktrees(ours), list((tmp_path / "tmp").iterdir())) == (1, [])


def test_a_filter_that_gives_back_what_was_committed_is_used(ours: Path) -> None:
    git(ours, "config", "filter.upper.clean", "tr a-z A-Z")
    git(ours, "config", "filter.upper.smudge", "tr A-Z a-z")
    (ours / ".gitattributes").write_text("*.txt filter=upper\n")
    (ours / "step" / "b.txt").write_text("words\n")
    commit_all(ours)
    assert git(ours, "show", "HEAD:step/b.txt") == "WORDS"
    with head_worktree(ours / "step") as tree:
        assert (tree / "b.txt").read_text() == "words\n"


def test_a_worktree_of_a_killed_process_goes_with_the_next_one_and_others_stay(ours: Path, tmp_path: Path) -> None:
    git(ours, "worktree", "add", "-q", "--detach", str(tmp_path / "mine"))
    shutil.rmtree(tmp_path / "mine")
    for _ in range(2):  # the second one removes what the first has left
        subprocess.run([sys.executable, "-c", KILLED, str(ours)], check=False)
        assert _worktrees(ours) == 3
    (left,) = (tmp_path / "tmp").iterdir()
    with head_worktree(ours):
        assert _worktrees(ours) == 3
        assert remove_dead_worktrees(ours) == []
    assert not left.exists()
    subprocess.run([sys.executable, "-c", KILLED, str(ours)], check=False)
    shutil.rmtree(tmp_path / "tmp")  # as a restart of the machine does
    assert len(remove_dead_worktrees(ours)) == 1
    assert "mine" in git(ours, "worktree", "list")
