"""The folder of a step in a repository: at a ref, locked, beside the pipeline, or without its origin."""

from pathlib import Path

import platformdirs
import pytest

from git_cases import commit_all
from sinara_lib.errors import ParamsError, StepFailedError
from sinara_lib.repositories import step_folder
from sinara_lib.repositories.lock import locked_commits, write_lock
from sinara_lib.step_sources import StepSource
from step_cases import git


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(platformdirs, "user_cache_dir", lambda *_, **__: str(tmp_path / "cache"))


@pytest.fixture
def far(tmp_path: Path) -> Path:
    """A repository with a step at its top and one within: v1 is its first commit, main its second."""
    folder = tmp_path / "far" / "demo-count"
    for name in ("", "inner/demo-tally"):
        (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / name / "step.dev.py").write_text("")
    git(folder, "init", "-q", "-b", "main")
    (folder / "version").write_text("1")
    commit_all(folder)
    git(folder, "tag", "v1")
    (folder / "version").write_text("2")
    return commit_all(folder)


@pytest.fixture
def base(tmp_path: Path) -> Path:
    """The pipeline's folder."""
    (tmp_path / "project").mkdir()
    return tmp_path / "project"


def _source(far: Path, **more: str) -> StepSource:
    return StepSource("count", git=str(far), **more)


def _commit(far: Path, name: str = "HEAD") -> str:
    return git(far, "rev-parse", f"{name}^{{commit}}")


def test_a_step_is_taken_at_a_tag_a_branch_and_a_commit(far: Path, base: Path) -> None:
    git(far, "branch", "old/one", "v1")
    first = _commit(far, "v1")
    refs = {None: "2", "v1": "1", "main": "2", "old/one": "1", first: "1", first[:8]: "1"}
    assert {ref: (step_folder(_source(far, ref=ref), base) / "version").read_text() for ref in refs} == refs


def test_a_step_may_lie_in_a_folder_of_its_repository(far: Path, base: Path) -> None:
    found = step_folder(StepSource("tally", git=str(far), path="inner/demo-tally"), base)
    assert (found.name, found.parents[1].name) == ("demo-tally", "demo-count")


def test_the_run_says_which_commit_it_took(far: Path, base: Path, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level("INFO"):
        step_folder(_source(far), base)
    assert f"count  {far} at {_commit(far)[:12]}" in caplog.text


def test_a_path_on_this_machine_starts_at_the_pipelines_folder(far: Path, base: Path) -> None:
    assert (step_folder(StepSource("count", git="../far/demo-count"), base) / "version").read_text() == "2"


def test_branches_that_were_rewritten_moved_and_renamed_are_followed(far: Path, base: Path) -> None:
    git(far, "branch", "a", "v1")
    step_folder(_source(far, ref="v1"), base)
    git(far, "branch", "-m", "a", "a/b")
    git(far, "tag", "-f", "v1", "main")
    assert (step_folder(_source(far, ref="v1"), base) / "version").read_text() == "2"


def test_tags_of_runs_stay_in_the_clone_when_it_is_brought_up_to_date(far: Path, base: Path) -> None:
    folder = step_folder(_source(far), base)
    git(folder, "tag", "run-26-01-02-030405-006")
    assert git(step_folder(_source(far), base), "tag", "--list", "run-*") == "run-26-01-02-030405-006"


def test_a_ref_that_is_not_there_is_told_with_those_that_are_and_leaves_nothing(
    far: Path, base: Path, tmp_path: Path
) -> None:
    with pytest.raises(StepFailedError, match=rf"{far} has no tag, branch or commit v2; it has main, v1\."):
        step_folder(_source(far, ref="v2"), base)
    assert not list((tmp_path / "cache").rglob("step.dev.py"))


def test_a_repository_without_a_step_is_told_where_steps_lie(far: Path, base: Path) -> None:
    git(far, "mv", "step.dev.py", "inner/")
    commit_all(far)
    with pytest.raises(StepFailedError, match=r"holds no step \(no step\.dev\.py, no notebook\): steps lie in inner: "):
        step_folder(_source(far), base)
    with pytest.raises(StepFailedError, match=r"folder nowhere at \w{12} has no such folder"):
        step_folder(_source(far, path="nowhere"), base)


def test_a_repository_without_a_commit_is_told(tmp_path: Path, base: Path) -> None:
    (tmp_path / "empty").mkdir()
    git(tmp_path / "empty", "init", "-q")
    with pytest.raises(StepFailedError, match=r"empty has no default branch with a commit"):
        step_folder(_source(tmp_path / "empty"), base)


def test_a_lock_holds_whatever_the_origin_becomes(far: Path, base: Path) -> None:
    source, before = _source(far), _commit(far)
    assert [(step.name, step.commit) for step in write_lock([source], base)] == [("count", before)]
    (far / "version").write_text("3")
    git(far, "add", "-A")
    git(far, "commit", "-q", "--amend", "-m", "rewritten")
    commit = locked_commits([source], base)["count"]
    assert (step_folder(source, base, commit=commit) / "version").read_text() == "2"
    assert (step_folder(source, base) / "version").read_text() == "3"


def test_without_an_origin_the_locked_commit_is_used_where_it_is_known_and_no_other(
    far: Path, base: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    source, first = _source(far), _commit(far, "v1")
    write_lock([source], base)
    far.rename(tmp_path / "gone")
    assert (step_folder(source, base, commit=first) / "version").read_text() == "1"
    assert f"going on with its locked commit, {first[:12]}" in caplog.text
    with pytest.raises(StepFailedError, match=r"cannot be fetched, and its locked commit 0{12} is not known here"):
        step_folder(source, base, commit="0" * 40)


def test_a_locked_commit_that_the_origin_has_lost_is_told(far: Path, base: Path) -> None:
    with pytest.raises(StepFailedError, match=r"no longer has the locked commit 0{12}: `sinara pipeline lock`"):
        step_folder(_source(far), base, commit="0" * 40)


def test_there_must_be_a_lock_and_it_must_be_this_pipelines(far: Path, base: Path) -> None:
    assert locked_commits([StepSource("own", folder="own")], base) == {}
    with pytest.raises(ParamsError, match=r"has no sinara\.lock, and prod runs only locked commits.*--unlocked"):
        locked_commits([_source(far)], base)
    write_lock([_source(far)], base)
    with pytest.raises(ParamsError, match=r"locks count of .*demo-count, and sinara\.toml names .*demo-count at v1"):
        locked_commits([_source(far, ref="v1")], base)
    with pytest.raises(ParamsError, match=r"does not lock other: `sinara pipeline lock` writes it anew"):
        locked_commits([StepSource("other", git=str(far))], base)
    (base / "sinara.lock").write_text("[[step]]\nname = 1\n")
    with pytest.raises(ParamsError, match=r"sinara\.lock is no lock of a pipeline: "):
        locked_commits([_source(far)], base)


def test_a_lock_of_steps_of_which_one_cannot_be_had_is_not_written(far: Path, base: Path, tmp_path: Path) -> None:
    with pytest.raises(StepFailedError, match=r"nothing.*does not"):
        write_lock([_source(far), StepSource("b", git=str(tmp_path / "nothing"))], base)
    assert list(base.iterdir()) == []


def test_a_checkout_beside_the_pipeline_is_taken_as_it_stands_and_for_a_lock_only_on_its_commit(
    far: Path, base: Path
) -> None:
    checkout = base / "demo-count"
    git(base, "clone", "-q", str(far), str(checkout))
    (checkout / "version").write_text("mine")
    assert step_folder(_source(far), base) == checkout
    assert step_folder(_source(far), base, commit=_commit(far)) == checkout
    assert step_folder(_source(far), base, commit=_commit(far, "v1")).parts[: len(base.parts)] != base.parts
    git(checkout, "remote", "set-url", "origin", "https://elsewhere.example/demo-count")
    with pytest.raises(StepFailedError, match=r"is a checkout of https://elsewhere\.example/demo-count, and sinara"):
        step_folder(_source(far), base)
