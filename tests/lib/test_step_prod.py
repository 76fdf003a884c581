"""Dev runs the working tree, prod the commit of HEAD alone: records, tags, worktrees and the safeguard."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sinara_lib.errors import StepFailedError
from sinara_lib.step import StepSafeguard, main, run_step
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.manifest import RunStatus
from step_cases import INTERFACE, PUBLISH, RUN_ID, STEP, MakeStep, git, only_run, read_report


def _commit(folder: Path) -> str:
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "step")
    return git(folder, "rev-parse", "HEAD")


def test_dev_runs_the_working_tree_and_records_that_it_was_not_committed(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore]
) -> None:
    folder = make_step({"count.ipynb": [INTERFACE, PUBLISH, "from number import N\nsubstep.add_metric('n', N)"]})
    (folder / "number.py").write_text("N = 1\n")
    commit = _commit(folder)
    (folder / "number.py").write_text("N = 2\n")
    result = run_step(folder, mode="dev")
    assert result.metrics["n"] == 2
    _, record = only_run(stores("user"))
    assert (record.producer.commit, record.producer.uncommitted) == (commit, True)
    assert git(folder, "tag") == ""


def test_prod_runs_head_alone_and_neither_uses_nor_touches_uncommitted_work(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], capsys: pytest.CaptureFixture[str]
) -> None:
    folder = make_step({"count.ipynb": [INTERFACE, PUBLISH, "from number import N\nsubstep.add_metric('n', N)"]})
    (folder / "number.py").write_text("N = 1\n")
    commit = _commit(folder)
    (folder / "number.py").write_text("N = 2\n")
    (folder / "notes.txt").write_text("mine")
    assert main(folder, mode="prod", argv=[]) == 0
    run, record = only_run(stores("prod"))
    assert stores("user").runs(STEP) == []
    assert (record.producer.commit, record.producer.uncommitted) == (commit, False)
    report = stores("prod").open(run.entity("reports_count_ipynb"))
    assert json.loads(report.read("metrics.json"))["n"] == 1
    assert ((folder / "number.py").read_text(), (folder / "notes.txt").read_text()) == ("N = 2\n", "mine")
    assert git(folder, "status", "--porcelain").splitlines() == ["M number.py", "?? notes.txt"]
    assert "left out, not committed: number.py, notes.txt" in capsys.readouterr().out
    assert git(folder, "worktree", "list").count("\n") == 0
    assert git(folder, "cat-file", "-t", run.run_id) == "tag"
    assert git(folder, "rev-parse", f"{run.run_id}^{{commit}}") == commit
    assert git(folder, "tag", "-l", "--format=%(contents)", run.run_id).strip() == stores("prod").url_of(run)


def test_a_prod_run_that_fails_is_recorded_but_not_tagged(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore]
) -> None:
    folder = make_step({"count.ipynb": ["1 / 0"]})
    _commit(folder)
    assert main(folder, mode="prod", argv=[]) == 1
    run, record = only_run(stores("prod"))
    assert record.status is RunStatus.FAILED
    assert read_report(stores("prod"), run)[1]["status"] == "FAILED"
    assert git(folder, "tag") == ""
    assert git(folder, "worktree", "list").count("\n") == 0


def test_a_prod_tag_is_pushed_only_when_asked(make_step: MakeStep, tmp_path: Path) -> None:
    folder = make_step({"count.ipynb": []})
    git(tmp_path, "init", "-q", "--bare", "origin.git")
    _commit(folder)
    git(folder, "remote", "add", "origin", str(tmp_path / "origin.git"))
    assert main(folder, mode="prod", argv=["--run-id", RUN_ID]) == 0
    assert git(tmp_path / "origin.git", "tag") == ""
    other = RUN_ID.replace("006", "007")
    assert main(folder, mode="prod", argv=["--run-id", other, "--push"]) == 0
    assert git(tmp_path / "origin.git", "tag") == other


@pytest.mark.parametrize(
    ("settings", "argv", "words"),
    [
        ({"tag.gpgSign": "true", "gpg.program": "false"}, [], "cannot sign: error: gpg failed to sign the data"),
        ({}, ["--run-id", RUN_ID], f"A tag {RUN_ID} stands on another commit"),
        ({}, ["--push"], "No such remote 'origin'"),
    ],
)
def test_what_would_keep_the_tag_from_being_put_is_said_before_the_work(
    make_step: MakeStep,
    stores: Callable[[str], ArtifactStore],
    capsys: pytest.CaptureFixture[str],
    settings: dict[str, str],
    argv: list[str],
    words: str,
) -> None:
    folder = make_step({"count.ipynb": []})
    _commit(folder)
    git(folder, "tag", RUN_ID)
    git(folder, "commit", "-q", "--allow-empty", "-m", "more")
    for name, value in settings.items():
        git(folder, "config", name, value)
    assert main(folder, mode="prod", argv=argv) == 1
    assert words in capsys.readouterr().out
    assert (stores("prod").runs(STEP), git(folder, "tag")) == ([], RUN_ID)


def test_a_tag_that_fails_after_the_work_takes_nothing_from_the_run(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    taken = f"import subprocess; subprocess.run(['git', 'update-ref', 'refs/tags/{RUN_ID}/x', 'HEAD'], check=True)"
    folder = make_step({"count.ipynb": [INTERFACE, PUBLISH, taken]})
    _commit(folder)
    assert main(folder, mode="prod", argv=["--run-id", RUN_ID]) == 0
    told = capsys.readouterr().out
    run, record = only_run(stores("prod"))
    assert record.status is RunStatus.SUCCESS
    assert "not tagged: `git tag --annotate" in told
    assert f"The run counts all the same: {stores('prod').url_of(run)} is SUCCESS" in told
    assert f"git tag -a {RUN_ID} -m" in told


def test_prod_keeps_a_relative_root_of_the_pipeline_where_a_person_expects_it(
    make_step: MakeStep, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = make_step({"count.ipynb": [INTERFACE, PUBLISH]}, name="project/count")
    monkeypatch.delenv("SINARA_PROD_ROOT")
    (tmp_path / "project" / "sinara.toml").write_text('[env.prod]\nroot = "artifacts"\n')
    (tmp_path / "project" / ".gitignore").write_text("artifacts/\n")
    _commit(tmp_path / "project")
    result = run_step(folder, mode="prod")
    store = store_at(str(tmp_path / "project" / "artifacts"))
    assert result.run_url.startswith(store.url)
    assert store.open(only_run(store)[0].entity("numbers")).read("n.txt") == b"{}"


def test_prod_outside_a_repository_or_without_commit_is_refused_with_what_to_do(
    make_step: MakeStep, capsys: pytest.CaptureFixture[str], stores: Callable[[str], ArtifactStore]
) -> None:
    folder = make_step({"count.ipynb": []})
    assert main(folder, mode="prod", argv=[]) == 1
    assert "is not in a git repository: prod runs committed code. Run `git init`, commit." in capsys.readouterr().out
    git(folder, "init", "-q")
    assert main(folder, mode="prod", argv=[]) == 1
    assert "has no commit yet" in capsys.readouterr().out
    assert stores("prod").runs(STEP) == []


def test_the_safeguard_refuses_the_wrong_folder_and_the_wrong_branch(make_step: MakeStep, tmp_path: Path) -> None:
    folder = make_step({"count.ipynb": []})
    safeguard = StepSafeguard(folder)
    safeguard.step_is_in_dir(tmp_path)
    with pytest.raises(StepFailedError, match=r"is not below .*elsewhere: run the step from there"):
        safeguard.step_is_in_dir(tmp_path / "elsewhere")
    with pytest.raises(StepFailedError, match=r"is on branch none, not on main: check it out"):
        safeguard.step_is_in_branch("main")
    _commit(folder)
    safeguard.step_is_in_branch("main")
    with pytest.raises(StepFailedError, match=r"is on branch main, not on release"):
        safeguard.step_is_in_branch("release")
