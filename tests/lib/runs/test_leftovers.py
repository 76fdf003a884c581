"""What SIGKILL leaves on a machine is found by the process that it names, and goes; what lives stays."""

import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from git_cases import make_repository
from sinara_lib.runs.leftovers import find_leftovers, remove_leftovers
from sinara_lib.store.work_folders import work_folder
from step_cases import git

KILLED = """import os, signal, sys
from pathlib import Path
from sinara_lib.runs.worktrees import head_worktree
from sinara_lib.store.work_folders import work_folder
with head_worktree(Path(sys.argv[1])), work_folder("sinara-run-") as tmp, work_folder("bento-"):
    (tmp / "data").write_bytes(bytes(1000))
    os.kill(os.getpid(), signal.SIGKILL)"""


def test_what_a_killed_process_leaves_is_named_and_removed_and_the_rest_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    work = tmp_path / "t"
    work.mkdir()
    monkeypatch.setenv("TMPDIR", str(work))
    monkeypatch.setattr(tempfile, "tempdir", str(work))
    monkeypatch.setattr("sinara_lib.store.work_folders.LONGEST_FOLDER", 1000)
    repository = make_repository(tmp_path / "ours")
    (work / "sinara-of-older-versions").mkdir()
    with work_folder("sinara-run-") as mine:
        subprocess.run([sys.executable, "-c", KILLED, str(repository)], check=False)
        found = find_leftovers()
        assert [one.folder.name.rpartition("-")[0] for one in found] == ["bento", "sinara-head", "sinara-run"]
        assert found[2].bytes > 1000
        assert found[2].line("removed").startswith(f"removed  {found[2].folder}  0.0 MB  ")
        (work / "sinara-link").symlink_to(found[0].folder)
        assert len(find_leftovers()) == 3
        remove_leftovers(found, near=tmp_path)
        assert sorted(p.name for p in work.iterdir()) == ["sinara-link", "sinara-of-older-versions", mine.name]
    assert git(repository, "worktree", "list").count("\n") == 0
