"""Runs as a table: one row for each chain from data to score, sorted and chosen as asked."""

import csv
import io
from datetime import datetime
from pathlib import Path

import pytest

from reported_runs import Reported
from sinara_lib.cli.main import main
from sinara_lib.comparison.run_table import RunTable, read_chains, tabulate
from sinara_lib.comparison.run_table_page import parallel_plot, table_html
from sinara_lib.errors import ParamsError
from sinara_lib.layout import RunAddress
from sinara_lib.settings import Settings
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.manifest import RunStatus


@pytest.fixture
def reported(store: ArtifactStore, now: datetime) -> Reported:
    """Makes runs with reports in a store, on every kind of filesystem."""
    return Reported(store, now)


def _chain(reported: Reported, score: float | None, **params: object) -> list[RunAddress]:
    """Train and evaluate; the evaluation read what the training made."""
    model = reported.run("train", params={**params, "seed": 1}, metrics={"loss": 2.0, "AP": 0.1}, outputs={"m": b"m"})
    url = reported.store.url_of(model.entity("m"))
    metrics = {} if score is None else {"AP": score}
    return [model, reported.run("eval", params={"iou": 0.5}, metrics=metrics, inputs=[url, "https://raw/x"])]


def _table(reported: Reported, **choice: object) -> RunTable:
    settings = Settings(None, (), {"user": reported.store.url})
    step = next(step for step in reported.store.steps() if step.step == "eval")
    return tabulate(read_chains(settings, reported.store, step, limit=50), **choice)  # type: ignore[arg-type]


def _column(table: RunTable, name: str) -> list[object]:
    return [row[name] for row in table.rows]


def test_a_row_holds_what_differs_along_the_chain_and_the_last_steps_metrics(reported: Reported) -> None:
    _chain(reported, 0.5, epochs=1)
    _chain(reported, 0.75, epochs=2)
    table = _table(reported)
    assert table.columns == ("run", "status", "started", "train.ipynb.epochs", "AP")
    assert _column(table, "train.ipynb.epochs") == [2, 1]
    assert _column(table, "AP") == [0.75, 0.5]


def test_columns_can_be_named_in_full_or_in_short_along_the_whole_chain(reported: Reported) -> None:
    _chain(reported, 0.5, epochs=1)
    table = _table(reported, params=["seed", "eval.ipynb.iou"], metrics=["loss", "AP"])
    assert table.columns[3:] == ("train.ipynb.seed", "eval.ipynb.iou", "loss", "AP")
    assert list(table.rows[0].values())[3:] == [1, 0.5, 2.0, 0.5]


def test_rows_are_sorted_by_any_column_and_those_without_a_value_are_last(reported: Reported) -> None:
    for score in (0.5, None, 0.75, 0.25):
        _chain(reported, score, epochs=1)
    assert _column(_table(reported, metrics=["loss"]), "loss") == [2.0] * 4
    descending = _table(reported, sort="AP", metrics=["AP"])
    assert _column(descending, "AP") == [0.75, 0.5, 0.25, None]
    assert _column(_table(reported, sort="AP", metrics=["AP"], ascending=True), "AP") == [0.25, 0.5, 0.75, None]
    runs = _column(_table(reported), "run")
    assert runs == sorted(map(str, runs), reverse=True)


def test_a_name_that_no_run_has_is_refused_with_those_there_are(reported: Reported) -> None:
    _chain(reported, 0.5, epochs=1)
    with pytest.raises(ParamsError, match=r"No metric 'AP51' in these runs; there are: loss, AP\."):
        _table(reported, metrics=["AP51"])
    with pytest.raises(ParamsError, match=r"No parameter 'epoch' in these runs; there are: train\.ipynb\.epochs"):
        _table(reported, params=["epoch"])
    with pytest.raises(ParamsError, match=r"No column 'loss'"):
        _table(reported, metrics=["AP"], sort="loss")


def test_a_run_whose_origin_was_removed_keeps_its_row_and_says_so(reported: Reported) -> None:
    train, _ = _chain(reported, 0.5, epochs=1)
    reported.store.fs.rm(f"{reported.store.root}/{train.path}", recursive=True)
    settings = Settings(None, (), {"user": reported.store.url})
    step = next(step for step in reported.store.steps() if step.step == "eval")
    (chain,) = read_chains(settings, reported.store, step, limit=50)
    assert chain.missing == (reported.store.url_of(train),)
    assert chain.metrics({"AP": "eval"}) == {"AP": 0.5}


def test_failed_runs_and_those_of_sinaraml_have_their_rows(reported: Reported) -> None:
    reported.foreign("eval")
    reported.run("eval", status=RunStatus.FAILED, reason="bad")
    assert _column(_table(reported), "status") == ["FAILED", "SUCCESS"]


def test_csv_holds_full_values_that_can_be_read_back(reported: Reported) -> None:
    _chain(reported, 1 / 3, epochs=1, name='a "b", c')
    _chain(reported, None, epochs=2, name="d")
    table = _table(reported, params=["epochs", "name"])
    rows = list(csv.DictReader(io.StringIO(table.csv())))
    assert [row["train.ipynb.name"] for row in rows] == ["d", 'a "b", c']
    assert float(rows[1]["AP"]) == 1 / 3
    assert rows[0]["started"] == table.rows[0]["started"]


def test_the_plot_has_an_axis_per_column_that_differs_and_a_gap_where_a_value_lacks(reported: Reported) -> None:
    for score, epochs, size in ((0.2, 1, "s"), (0.8, 3, "m"), (None, 2, "s")):
        _chain(reported, score, epochs=epochs, size=size)
    table = _table(reported, params=["epochs", "size", "seed"], metrics=["AP"])
    axes, lines = parallel_plot(table)
    assert [axis.name for axis in axes] == ["epochs", "size", "AP"]
    assert [text for _, text in axes[1].marks] == ["m", "s"]
    assert len(lines) == 3
    tops = {axis.marks[-1][0] for axis in axes if axis.name != "size"}
    best = next(line for line in lines if line.colour == 1.0)
    assert best.path.startswith(f"M{axes[0].x:.1f} {tops.pop():.1f}")
    assert parallel_plot(_table(reported, params=["seed"], metrics=["loss"])) == ([], [])


def test_markup_in_names_and_values_is_escaped_on_the_page(reported: Reported) -> None:
    evil = "<script>alert(1)</script>"
    _chain(reported, 0.5, **{evil: evil})
    _chain(reported, 0.6, **{evil: "x"})
    html = table_html(_table(reported), title=evil)
    assert html.count("<script>") == 1
    assert evil not in html


def test_the_command_chooses_the_pipelines_last_step_and_writes_both_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SINARA_USER_ROOT", str(tmp_path / "user"))
    (tmp_path / "sinara.toml").write_text('[pipeline]\nsteps = ["train", "eval", "deploy"]\n')
    monkeypatch.chdir(tmp_path)
    assert main(["compare"]) == 1
    assert "has no runs of a step of this pipeline" in capsys.readouterr().out
    reported = Reported(store_at(str(tmp_path / "user")), now)
    _chain(reported, 0.5, epochs=1)
    _chain(reported, 0.75, epochs=2)
    assert main(["compare", "--sort", "AP", "--csv", "t.csv", "--html", "t.html"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == f"runs of {reported.store.url}/rest/test/eval"
    assert lines[1].split() == ["run", "status", "started", "epochs", "AP"]
    assert [line.split()[-2:] for line in lines[2:]] == [["2", "0.75"], ["1", "0.5"]]
    assert len((tmp_path / "t.csv").read_text().splitlines()) == 3
    assert "Runs of eval" in (tmp_path / "t.html").read_text()
    assert main(["compare", "--step", "model_evil"]) == 1
    assert "has no runs of model_evil; it has eval, train." in capsys.readouterr().out
