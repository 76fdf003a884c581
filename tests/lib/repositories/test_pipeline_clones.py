"""Steps by git URL: their clones follow the origin, and nothing of strangers or of this user runs in them."""

import shutil
from pathlib import Path

import pytest

from pipeline_cases import make_pipeline
from sinara_lib.errors import StepFailedError
from sinara_lib.runs.worktrees import head_worktree
from step_cases import git


def test_a_step_by_git_url_is_cloned_once_and_then_brought_up_to_date(
    tmp_path: Path, cache: Path, far_step: Path
) -> None:
    (step,) = make_pipeline(tmp_path / "project", f"file://{far_step}")
    folder = step.folder()
    assert step.name == "count"
    assert cache in folder.parents
    assert (folder / "count.ipynb").is_file()
    (far_step / "new.py").write_text("")
    git(far_step, "add", "-A")
    git(far_step, "commit", "-q", "-m", "more")
    assert step.folder() == folder
    assert (folder / "new.py").is_file()


def test_a_clone_follows_its_origin_whatever_was_rewritten_there(tmp_path: Path, cache: Path, far_step: Path) -> None:
    (step,) = make_pipeline(tmp_path / "project", f"file://{far_step}")
    folder = step.folder()
    (folder / "made.txt").write_text("by a run")
    (folder / "count.ipynb").write_text("edited by mistake")
    (far_step / "new.py").write_text("")
    git(far_step, "add", "-A")
    git(far_step, "commit", "-q", "--amend", "-m", "rewritten")
    git(far_step, "branch", "-m", "trunk")
    assert step.folder() == folder
    assert git(folder, "rev-parse", "HEAD") == git(far_step, "rev-parse", "HEAD")
    assert git(folder, "status", "--porcelain") == "?? made.txt"


def test_a_clone_that_was_killed_or_damaged_is_made_anew(tmp_path: Path, cache: Path, far_step: Path) -> None:
    (step,) = make_pipeline(tmp_path / "project", f"file://{far_step}")
    folder = step.folder()
    (folder / ".git" / "index.lock").write_text("")
    (folder.parent / ".demo-count-0123").mkdir()
    assert (step.folder() / "count.ipynb").is_file()
    assert sorted(p.name for p in folder.parent.iterdir()) == [".lock", "demo-count"]
    shutil.rmtree(folder / ".git" / "objects")
    assert git(step.folder(), "rev-parse", "HEAD") == git(far_step, "rev-parse", "HEAD")
    shutil.rmtree(folder)
    git(folder.parent, "init", "-q", str(folder))  # what `git clone` makes first
    assert (step.folder() / "count.ipynb").is_file()


def test_an_origin_that_cannot_be_reached_leaves_the_last_known_commit_with_a_warning(
    tmp_path: Path, cache: Path, far_step: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (step,) = make_pipeline(tmp_path / "project", f"file://{far_step}")
    commit = git(step.folder(), "rev-parse", "HEAD")
    far_step.rename(tmp_path / "moved")
    (step.folder() / "count.ipynb").unlink()
    assert (step.folder() / "count.ipynb").is_file()
    assert f"cannot be fetched; going on with its last known commit, {commit[:12]}: fatal: " in caplog.text


def test_no_hook_and_no_filter_of_this_user_runs_on_a_strangers_step_but_lfs(
    tmp_path: Path, cache: Path, far_step: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ran, home = tmp_path / "ran", tmp_path / "home"
    for name in ("template/hooks/post-checkout", "hooks/post-checkout", "hooks/post-merge", "hooks/post-index-change"):
        (home / name).parent.mkdir(parents=True, exist_ok=True)
        (home / name).write_text(f"#!/bin/sh\necho {name} >> {ran}\n")
        (home / name).chmod(0o755)
    (home / ".gitconfig").write_text(
        f"[init]\ntemplateDir = {home}/template\n[core]\nhooksPath = {home}/hooks\n"
        f'[filter "a.b"]\nsmudge = tee -a {ran}\nclean = tee -a {ran}\nrequired = true\n'
        f'[filter "lfs"]\nsmudge = tee -a {ran}\n'
    )
    (far_step / ".gitattributes").write_text("*.ipynb filter=a.b\n")
    git(far_step, "add", "-A")
    git(far_step, "commit", "-q", "-m", "filtered")
    monkeypatch.setenv("HOME", str(home))
    (step,) = make_pipeline(tmp_path / "project", f"file://{far_step}")
    folder = step.folder()
    with head_worktree(folder) as tree:
        assert (tree / "count.ipynb").read_bytes() == (far_step / "count.ipynb").read_bytes()
    (far_step / "new.py").write_text("")
    git(
        far_step,
        "-c",
        "core.hooksPath=/dev/null",
        "-c",
        "filter.a.b.clean=cat",
        "commit",
        "-q",
        "--allow-empty",
        "-m",
        "2",
    )
    step.folder()
    assert git(folder, "config", "filter.lfs.smudge") == "git-lfs smudge -- %f"
    assert not ran.exists()


def test_a_git_url_that_answers_nothing_is_told_in_gits_words(tmp_path: Path, cache: Path) -> None:
    (step,) = make_pipeline(tmp_path / "project", f"file://{tmp_path}/nothing.git")
    with pytest.raises(StepFailedError, match=r"`git clone .*nothing\.git.* failed: .*does not"):
        step.folder()
    assert not list(cache.rglob("*.ipynb"))
