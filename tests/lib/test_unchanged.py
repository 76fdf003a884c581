"""A run that would publish the same again ends well and publishes nothing; everybody keeps reading the earlier one."""

from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from sinara_lib.cli.main import main as sinara
from sinara_lib.errors import Unchanged
from sinara_lib.step import main
from sinara_lib.store import ArtifactStore, publish_folder
from sinara_lib.store.manifest import RunStatus
from sinara_lib.substep import ENTITY_NAME, NotebookSubstep
from sinara_lib.unchanged import end_if_unchanged
from step_cases import GOOD, PUBLISH, STEP, MakeStep, read_report
from substep_cases import make_substep

URL, SHA256 = "https://host/labels.json", "a" * 64
ASK = f"""from datetime import datetime, timezone
from sinara_lib.unchanged import end_if_unchanged
print("asked the source")
end_if_unchanged(substep, [("{URL}", "{SHA256}")])
substep.add_source("{URL}", sha256="{SHA256}", size=1, fetched=datetime.now(timezone.utc))"""
ASKING = [*GOOD[:2], "## Ask the source", ("business_report", ASK), "## Publish", PUBLISH]


def test_the_run_is_a_success_without_data_and_readers_keep_the_earlier_one(
    make_step: MakeStep, stores: Callable[[str], ArtifactStore], capsys: pytest.CaptureFixture[str]
) -> None:
    folder, store = make_step({"count.ipynb": ASKING}), stores("user")
    assert main(folder, mode="dev", argv=[]) == 0
    assert main(folder, mode="dev", argv=[]) == 0

    later, first = store.runs(STEP)
    reason = f"unchanged since {first.run_id}"
    record = store.run_record(later)
    assert record is not None
    assert (record.status, record.reason) == (RunStatus.SUCCESS, reason)
    assert record.inputs == (store.url_of(first.entity("numbers")),)
    assert [entity.name for entity in store.entities(later)] == ["reports_count_ipynb"]
    assert store.resolve(STEP, ["numbers"]) == first
    told = capsys.readouterr().out
    assert reason in told
    assert told.count("published") == 1
    info = read_report(store, later)[1]
    assert (info["status"], info["reason"], info["outputs"]) == ("COMPLETE", reason, {})
    for page in ("report.html", "business_report.html"):
        text = store.open(later.entity("reports_count_ipynb")).read(page).decode()
        assert "asked the source" in text
        assert reason in text
        assert "most recent call last" not in text

    assert sinara(["ls"]) == 0
    assert f"{later.run_id}  SUCCESS  {reason}" in capsys.readouterr().out
    assert sinara(["gc", "--keep-last", "1"]) == 0
    assert store.runs(STEP) == [later, first]


@pytest.fixture
def told() -> list[str]:
    """What had changed, run by run."""
    return []


@pytest.fixture
def ask(step_folder: Path, log_as_before: None, told: list[str]) -> Callable[..., NotebookSubstep]:
    """Be a notebook opened by hand that declares an output and asks whether anything changed."""
    (step_folder / "module.py").write_text("1")

    def ask(*sources: tuple[str, str]) -> NotebookSubstep:
        substep = make_substep()
        substep.interface(outputs=[{ENTITY_NAME: "train"}], tmp_entities=[{ENTITY_NAME: "work"}])
        told.append(end_if_unchanged(substep, sources))
        for url, sha256 in sources:
            substep.add_source(url, sha256=sha256, size=1, fetched=datetime.now(timezone.utc))
        publish_folder(substep.tmp_entities().work, substep.outputs().train)
        return substep

    return ask


def test_the_same_sources_end_a_run_and_a_changed_missing_or_further_one_does_not(
    ask: Callable[..., NotebookSubstep], told: list[str]
) -> None:
    first = ask((URL, SHA256), ("b", SHA256))
    with pytest.raises(Unchanged, match=f"unchanged since {first.run_id}"):
        ask(("b", SHA256), (URL, SHA256))

    ask((URL, SHA256), ("b", "c" * 64))
    assert told == ["no earlier run has all outputs", f"changed since {first.run_id}: b"]
    ask((URL, SHA256))
    ask((URL, SHA256), ("b", "c" * 64), ("d", SHA256))
    with pytest.raises(Unchanged):
        ask((URL, SHA256), ("b", "c" * 64), ("d", SHA256))


def test_changed_code_or_library_makes_a_new_run(
    ask: Callable[..., NotebookSubstep], told: list[str], step_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ask((URL, SHA256))
    (step_folder / "module.py").write_text("2")
    ask((URL, SHA256))
    assert told[-1].endswith(": the step's code")
    monkeypatch.setattr("sinara_lib.__version__", "99.0")
    ask((URL, SHA256))
    assert told[-1].endswith(": the library")
    with pytest.raises(Unchanged):
        ask((URL, SHA256))
