"""All repositories of a pipeline side by side: pulled, pushed, switched; one that fails stops no other."""

import shutil
from pathlib import Path

import platformdirs
import pytest

from git_cases import commit_all
from sinara_lib.cli import main
from step_cases import git


@pytest.fixture
def far(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with two bare repositories of a step each; the current folder is an empty one."""
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: str(tmp_path / "cache"))
    for name in ("demo-load", "demo-prep"):
        work = tmp_path / "work" / name
        work.mkdir(parents=True)
        (work / "step.dev.py").write_text("")
        git(work, "init", "-q", "-b", "main")
        commit_all(work)
        git(work, "clone", "-q", "--bare", str(work), str(tmp_path / "far" / f"{name}.git"))
        git(work, "remote", "add", "origin", str(tmp_path / "far" / f"{name}.git"))
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "far"


@pytest.fixture
def demo(far: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Path:
    """A pipeline of both, in which one stands."""
    steps = [f"--step={step}={far / f'demo-{step}.git'}" for step in ("load", "prep")]
    assert main(["pipeline", "create", "demo", *steps]) == 0
    monkeypatch.chdir("demo")
    capsys.readouterr()
    return Path.cwd()


def _said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    return capsys.readouterr().out.splitlines()


def test_a_pipeline_is_created_of_repositories_side_by_side(demo: Path, far: Path) -> None:
    assert sorted(path.name for path in demo.iterdir()) == ["demo-load", "demo-prep", "sinara.toml"]
    assert (demo / "sinara.toml").read_text() == (
        '[pipeline]\nname = "demo"\n\n# The steps in the order they run.\n[pipeline.steps]\n'
        f'"load" = {{ git = "{far}/demo-load.git" }}\n"prep" = {{ git = "{far}/demo-prep.git" }}\n'
    )
    assert git(demo / "demo-prep", "symbolic-ref", "--short", "HEAD") == "main"


def test_a_name_that_is_taken_is_refused(demo: Path, far: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir("..")
    before = (demo / "sinara.toml").read_text()
    assert main(["pipeline", "create", "demo", f"--step=load={far}/demo-load.git"]) == 1
    assert (demo / "sinara.toml").read_text() == before


@pytest.mark.parametrize(
    "step", ["load=--upload-pack=x", "load=https://me:pl4nted@host/x", "load", "load=far/none.git"]
)
def test_a_step_that_cannot_be_had_alone_makes_nothing_and_shows_no_password(
    far: Path, step: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    assert main(["pipeline", "create", "demo", "--step", step]) == 1
    assert list(Path.cwd().iterdir()) == []
    told = capfd.readouterr()
    assert "pl4nted" not in told.out + told.err + caplog.text


def test_one_that_fails_stops_no_other_and_the_end_says_which(far: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code = main(["pipeline", "create", "demo", f"--step=load={far}/gone.git", f"--step=prep={far}/demo-prep.git"])
    assert code == 1
    said = _said(capsys)
    assert said[0].startswith("load  FAILED: `git clone")
    assert said[-1] == "failed: sinara pipeline create: failed for load; the others are done."
    assert sorted(path.name for path in (Path.cwd() / "demo").iterdir()) == ["demo-prep", "sinara.toml"]


def test_status_tells_branch_commit_distance_files_lock_and_last_run(
    demo: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["pipeline", "lock"]) == 0
    load = demo / "demo-load"
    git(load, "tag", "run-26-01-02-030405-006")
    (load / "new.py").write_text("")
    commit_all(load)
    (load / "more.py").write_text("")
    capsys.readouterr()
    assert main(["pipeline", "status"]) == 0
    rows = [line.split("  ") for line in _said(capsys)]
    first, second = ([cell.strip() for cell in row if cell.strip()] for row in rows[1:3])
    locked = git(load, "rev-parse", "HEAD~1")[:12]
    head = git(load, "rev-parse", "HEAD")[:12]
    assert first == [
        *("load", "main", head, "ahead 1, behind 0", "1 changed", f"locked at {locked}", "run-26-01-02-030405-006"),
    ]
    assert second[3:] == ["even", "clean", "locked", "-"]


def test_pull_goes_forward_and_stops_at_a_branch_that_has_parted(
    demo: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("demo-load", "demo-prep"):
        (tmp_path / "work" / name / "new.py").write_text("")
        git(commit_all(tmp_path / "work" / name), "push", "-q", "origin", "main")
    (demo / "demo-load" / "own.py").write_text("")
    commit_all(demo / "demo-load")
    assert main(["pipeline", "pull"]) == 1
    said = _said(capsys)
    assert said[0].startswith("load  FAILED: `git pull")
    assert [line for line in said if line.startswith("prep  ")]
    assert (demo / "demo-prep" / "new.py").is_file()
    assert not (demo / "demo-load" / "new.py").is_file()


def test_a_branch_is_made_in_all_and_pushed_with_the_tags_of_runs(demo: Path, far: Path) -> None:
    assert main(["pipeline", "checkout", "try/one"]) == 0
    git(demo / "demo-load", "tag", "run-26-01-02-030405-006")
    (demo / "demo-prep" / "new.py").write_text("")
    commit_all(demo / "demo-prep")
    assert main(["pipeline", "push"]) == 0
    assert git(far / "demo-load.git", "tag") == "run-26-01-02-030405-006"
    assert git(far / "demo-prep.git", "rev-parse", "try/one") == git(demo / "demo-prep", "rev-parse", "HEAD")
    assert main(["pipeline", "checkout", "main"]) == 0
    assert not (demo / "demo-prep" / "new.py").exists()
    assert main(["pipeline", "checkout", "--", "-f"]) == 1


def test_clone_makes_what_is_not_there_and_leaves_what_is(demo: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (demo / "demo-load").rename(demo.parent / "away")
    (demo / "demo-prep" / "mine.py").write_text("")
    assert main(["pipeline", "clone"]) == 0
    assert [line.split()[1] for line in _said(capsys)] == ["cloned", "is"]
    assert (demo / "demo-load" / "step.dev.py").is_file()
    assert (demo / "demo-prep" / "mine.py").is_file()
    (demo / "demo-load" / ".git").rename(demo.parent / "git")
    assert main(["pipeline", "clone"]) == 1


def test_folders_alone_are_left_to_git_itself(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sinara.toml").write_text('[pipeline]\nsteps = ["one"]\n')
    monkeypatch.chdir(tmp_path)
    assert main(["pipeline", "pull"]) == 1


def test_steps_of_one_repository_at_two_refs_get_no_checkout_and_the_others_do(
    demo: Path, far: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    work = far.parent / "work" / "demo-load"
    (work / "a").mkdir()
    (work / "b").mkdir()
    for step in ("a", "b"):
        (work / step / "step.dev.py").write_text("")
    commit_all(work)
    git(work, "tag", "v1")
    git(work, "push", "-q", "origin", "main", "v1")
    entry = f'git = "{far}/demo-load.git", path'
    other = f'prep = {{ git = "{far}/demo-prep.git" }}\n'
    text = (
        f'[pipeline]\nname = "demo"\n[pipeline.steps]\na = {{ {entry} = "a", ref = "v1" }}\nb = {{ {entry} = "b" }}\n'
    )
    (demo / "sinara.toml").write_text(text + other)
    shutil.rmtree(demo / "demo-load")
    assert main(["pipeline", "clone"]) == 1
    said = _said(capsys)
    assert said[0].startswith("a, b  FAILED: one checkout, demo-load, would have to be all of these: a: ")
    assert "folder b at its default branch. Give them one URL and ref." in said[0]
    assert said[1:] == ["prep  is there", "failed: sinara pipeline clone: failed for a, b; the others are done."]
    assert not (demo / "demo-load").exists()
    (demo / "sinara.toml").write_text(text.replace(', ref = "v1"', "") + other)
    assert main(["pipeline", "clone"]) == 0
    assert (demo / "demo-load" / "b" / "step.dev.py").is_file()
