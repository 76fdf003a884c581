"""What differs between two runs is found, and nothing else; what cannot be compared is said."""

import json
from datetime import datetime
from pathlib import Path

import pytest

from reported_runs import PRODUCER, Reported
from sinara_lib.catalog.find import Target
from sinara_lib.cli.main import main
from sinara_lib.comparison.run_diff import RunDiff, shown, shown_change
from sinara_lib.comparison.run_diff_reading import diff_html, notebook_text, read_diff, save_diff
from sinara_lib.layout import RunAddress
from sinara_lib.settings import Settings
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.manifest import RunStatus
from store_cases import files_below, lay_file


@pytest.fixture
def reported(store: ArtifactStore, now: datetime) -> Reported:
    """Makes runs with reports in a store, on every kind of filesystem."""
    return Reported(store, now)


def _diff(reported: Reported, a: RunAddress, b: RunAddress) -> RunDiff:
    settings = Settings(None, (), {"user": reported.store.url})
    return read_diff(Target(reported.store, a), Target(reported.store, b), settings)


def _rows(diff: RunDiff, section: str) -> dict[str, tuple[object, object]]:
    return {row.name: (row.a, row.b) for row in diff.sections[section]}


def test_two_runs_of_the_same_code_on_the_same_data_differ_in_nothing_but_time(reported: Reported) -> None:
    data = reported.run("prep", outputs={"data": b"1"})
    urls = [reported.store.url_of(data.entity("data"))]
    runs = [reported.run(params={"epochs": 3}, metrics={"AP": 0.5}, inputs=urls, outputs={"m": b"m"}) for _ in "ab"]
    diff = _diff(reported, *runs)
    assert diff.same
    assert set(_rows(diff, "facts")) == {"started (UTC)"}
    assert _rows(diff, "metrics") == {"AP": (0.5, 0.5)}
    assert diff.notes == ()


def test_every_difference_is_found_in_its_section(reported: Reported) -> None:
    first = reported.run("prep", outputs={"data": b"1"})
    second = reported.run("prep", outputs={"data": b"2"})
    url = reported.store.url_of
    a = reported.run(
        params={"epochs": 3, "seed": 1, "gone": True}, metrics={"AP": 0.5, "best": "e1"}, outputs={"m": b"a"},
        inputs=[url(first.entity("data"))], code=["load()", "train(1)"],
    )  # fmt: skip
    b = reported.run(
        params={"epochs": 5, "seed": 1, "new": None}, metrics={"AP": 0.75, "best": "e2"}, outputs={"m": b"b"},
        inputs=[url(second.entity("data"))], code=["load()", "train(2)"],
        packages={"numpy": "2.1", "onnx": "1.0"}, producer=PRODUCER.model_copy(update={"commit": "fff"}),
    )  # fmt: skip
    diff = _diff(reported, a, b)
    assert not diff.same
    assert _rows(diff, "params") == {"train.ipynb.epochs": (3, 5), "train.ipynb.gone": (True, None)}
    assert _rows(diff, "packages") == {"numpy": ("2.0", "2.1"), "torch": ("2.1", None), "onnx": (None, "1.0")}
    assert _rows(diff, "facts")["commit"] == (PRODUCER.commit, "fff")
    assert list(_rows(diff, "inputs")) == ["rest/test/prep/data"]
    assert list(_rows(diff, "outputs")) == ["m"]
    assert [(row.name, row.change) for row in diff.sections["metrics"]] == [("AP", 0.25), ("best", None)]
    assert [line for line in diff.notebooks["train.ipynb"] if line[0] in "+-"] == ["-train(1)", "+train(2)"]


def test_an_input_from_another_run_with_the_same_bytes_is_no_difference(reported: Reported) -> None:
    prepared = [reported.run("prep", outputs={"data": b"same"}) for _ in "ab"]
    a, b = (reported.run(inputs=[reported.store.url_of(run.entity("data"))]) for run in prepared)
    assert _diff(reported, a, b).sections["inputs"] == ()


def test_an_input_that_was_removed_is_said_to_be_gone(reported: Reported) -> None:
    prepared = reported.run("prep", outputs={"data": b"1"})
    url = reported.store.url_of(prepared.entity("data"))
    a, b = reported.run(inputs=[url]), reported.run()
    reported.store.fs.rm(f"{reported.store.root}/{prepared.path}", recursive=True)
    assert _rows(_diff(reported, a, b), "inputs")["rest/test/prep/data"] == (
        f"{prepared.run_id}, which is not there any more",
        None,
    )


def test_a_run_of_sinaraml_is_compared_as_far_as_it_is_recorded(reported: Reported) -> None:
    diff = _diff(reported, reported.foreign(), reported.run(params={"EPOCHS": 3}, metrics={"AP50": 0.6}))
    assert _rows(diff, "metrics") == {"AP50": (0.4, 0.6)}
    assert _rows(diff, "params") == {}
    assert _rows(diff, "facts")["commit"] == ("fedcba", PRODUCER.commit)
    assert "a was made by SinaraML, which records no packages and no checksums" in diff.notes
    assert "packages: not compared" in list(diff.lines())


def test_a_damaged_report_is_told_and_the_rest_is_compared(reported: Reported) -> None:
    a, b = reported.run(params={"x": 1}, metrics={"AP": 0.5}), reported.run(params={"x": 2}, metrics={"AP": 0.6})
    lay_file(reported.store, f"{b.path}/reports_train_ipynb/metrics.json", b'{"AP": 0.9, "run_id": "x"}')
    diff = _diff(reported, a, b)
    assert _rows(diff, "params") == {"train.ipynb.x": (1, 2)}
    assert any(note.startswith("b: ") and "metrics.json" in note for note in diff.notes)
    assert 0.9 not in {row.b for row in diff.sections["metrics"]}


def test_a_run_made_from_uncommitted_code_is_marked(reported: Reported) -> None:
    dirty = PRODUCER.model_copy(update={"uncommitted": True})
    diff = _diff(reported, reported.run(), reported.run(producer=dirty))
    assert "b was made with uncommitted changes: its commit does not tell all of its code" in diff.notes


def test_a_kept_diff_is_no_run_and_no_entity_and_can_be_kept_again(reported: Reported) -> None:
    a, b = reported.run(metrics={"AP": 0.1}), reported.run(metrics={"AP": 0.2})
    diff = _diff(reported, a, b)
    before = (reported.store.steps(), reported.store.runs(b.step))
    url = save_diff(diff)
    assert save_diff(diff) == url == f"{reported.store.url}/rest/test/train/diff.{a.run_id}.{b.run_id}"
    assert (reported.store.steps(), reported.store.runs(b.step)) == before
    folder = url.removeprefix(f"{reported.store.url}/")
    kept = reported.store.fs.cat_file(f"{reported.store.root}/{folder}/diff.json")
    assert json.loads(kept) == diff.page()
    assert sum(f"diff.{a.run_id}" in file for file in files_below(reported.store)) == 2


def test_markup_in_what_the_page_shows_is_escaped(reported: Reported) -> None:
    evil = "<script>alert(1)</script>"
    a = reported.run(params={evil: evil}, metrics={evil: evil}, code=[evil], outputs={"m": b"1"})
    b = reported.run(code=["x"], status=RunStatus.FAILED, reason=evil)
    html = diff_html(_diff(reported, a, b))
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 4


def test_hashes_are_shown_short_and_changes_with_their_sign(reported: Reported) -> None:
    assert [shown(v) for v in ("a" * 64, None, 0.123456, True, [1, 2], "text")] == [
        "a" * 12, "-", "0.1235", "true", "[1, 2]", "text",
    ]  # fmt: skip
    rows = _diff(reported, reported.run(metrics={"AP": 0.5, "n": 1}), reported.run(metrics={"AP": 0.25, "w": "x"}))
    assert [shown_change(row) for row in rows.sections["metrics"]] == ["-0.25", "only in a", "only in b"]


@pytest.mark.parametrize("data", [b"", b"[]", b'{"cells": 3}', b'{"cells": [{}]}'])
def test_what_is_no_notebook_is_refused(data: bytes) -> None:
    with pytest.raises(ValueError, match="not a notebook"):
        notebook_text(data)


@pytest.fixture
def two_envs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime) -> tuple[Reported, Reported]:
    """Runs in the environments `user` and `prod` of a person's settings."""
    for env in ("user", "test", "prod"):
        monkeypatch.setenv(f"SINARA_{env.upper()}_ROOT", str(tmp_path / env))
    monkeypatch.chdir(tmp_path)
    return Reported(store_at(str(tmp_path / "user")), now), Reported(store_at(str(tmp_path / "prod")), now)


def test_the_command_compares_runs_of_two_environments_and_writes_all_three_forms(
    two_envs: tuple[Reported, Reported], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    user, prod = two_envs
    user.run()
    a, b = user.run(metrics={"AP50": 0.5}), prod.run(metrics={"AP50": 0.75})
    assert main(["diff", a.run_id, prod.store.url_of(b), "--html", str(tmp_path / "d.html"), "--save"]) == 0
    told = capsys.readouterr().out
    assert "AP50  0.5  0.75  +0.25" in told
    assert f"kept  {prod.store.url}/rest/test/train/diff.{a.run_id}.{b.run_id}" in told
    assert "AP50" in (tmp_path / "d.html").read_text()
    assert main(["diff", a.run_id, prod.store.url_of(b), "--json"]) == 0
    page = json.loads(capsys.readouterr().out)
    assert page["sections"]["metrics"] == [{"name": "AP50", "a": 0.5, "b": 0.75, "change": 0.25}]


def test_a_run_that_is_not_there_or_is_being_removed_or_is_named_twice_is_told_in_words(
    two_envs: tuple[Reported, Reported], capsys: pytest.CaptureFixture[str]
) -> None:
    user, prod = two_envs
    a, b, removing = user.run(), prod.run(), user.run()
    record = user.store.run_record(removing)
    assert record is not None
    user.store.replace_record(removing, record.model_copy(update={"status": RunStatus.REMOVING}))
    gone = user.store.url_of(a).replace(a.run_id, "run-26-01-01-000000-000")
    for name, words in (
        ("run-26-01-01-000000-000", "failed: No run run-26-01-01-000000-000 in user, test, prod"),
        (gone, "does not exist: it was removed, or never was"),
        (removing.run_id, "is being removed by `sinara gc`"),
        (b.run_id, "is the id of several runs; name one by its URL"),
        ("nonsense", "'nonsense' is neither a run id"),
    ):
        assert main(["diff", user.store.url_of(a), name]) == 1
        assert words in capsys.readouterr().out


def test_an_environment_without_its_key_is_no_hindrance_where_it_is_not_asked_for(
    two_envs: tuple[Reported, Reported], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    user, _ = two_envs
    a, b = user.run(), user.run(inputs=["s3://far/rest/test/prep/run-26-01-01-000000-000/data"])
    monkeypatch.setenv("SINARA_PROD_ROOT", "s3://far")
    monkeypatch.setenv("SINARA_PROD_STORAGE", '{"key_env": "NO_SUCH_VARIABLE"}')
    for command in (["diff", user.store.url_of(a), b.run_id], ["compare", "--step", "train"], ["report", b.run_id]):
        assert main(command) == 0
    assert "run-26-01-01-000000-000, which cannot be read from here" in capsys.readouterr().out
    assert main(["report", b.run_id, "--env", "prod"]) == 1
    assert "NO_SUCH_VARIABLE, which is not set" in capsys.readouterr().out
