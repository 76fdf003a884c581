"""The commands about the store: verify, lineage, gc, and ls and show on what is damaged."""

import json
import os
import subprocess
import sys
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import pytest

from lineage_cases import History
from sinara_lib.cli.main import main
from sinara_lib.layout import RunAddress
from sinara_lib.store import store_at
from sinara_lib.store.manifest import MANIFEST_FILE, RUN_FILE, SUCCESS_FILE, RunStatus, Source

ZIP = Source(
    url="https://host/val.zip",
    sha256="ab" * 32,
    bytes=7,
    etag='"v1"',
    last_modified="Mon, 01 Jan 2024 00:00:00 GMT",
    fetched=datetime(2026, 11, 21, tzinfo=timezone.utc),
)


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, now: datetime) -> History:
    """An empty history in the environment `user`, in whose folder the test stands."""
    for env in ("user", "test", "prod"):
        monkeypatch.setenv(f"SINARA_{env.upper()}_ROOT", str(tmp_path / "store" / env))
    monkeypatch.chdir(tmp_path)
    # What killed processes of other tests leave on this machine is not this test's.
    monkeypatch.setattr("sinara_lib.runs.leftovers.abandoned_folders", lambda: iter(()))
    return History(store_at(str(tmp_path / "store" / "user")), now)


@pytest.fixture
def loaded(history: History) -> RunAddress:
    """A run of data_load that read raw data."""
    return history.run("data_load", "images", sources=[ZIP])


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, list[str]]]:
    """Give a command line, get its exit code and what it printed."""

    def say(*argv: str) -> tuple[int, list[str]]:
        capsys.readouterr()
        code = main(argv)
        told = capsys.readouterr()
        assert "Traceback" not in told.out + told.err
        return code, told.out.splitlines()

    return say


Say = Callable[..., tuple[int, list[str]]]


def _path(history: History, run: RunAddress, name: str) -> Path:
    return Path(history.store.root) / run.path / name


def test_verify_of_a_whole_store_ends_with_0_and_the_counts(history: History, loaded: RunAddress, say: Say) -> None:
    expected = (0, ["1 entities, 1 files, 0.0 MB read, 0 findings"])
    for target in ("--all", loaded.run_id, history.store.url_of(loaded), history.url(loaded, "images")):
        assert say("verify", target) == expected


def test_verify_names_each_damage_and_ends_with_1(history: History, loaded: RunAddress, say: Say) -> None:
    other = history.run("data_prep", "train")
    _path(history, loaded, "images/file.bin").write_bytes(b"x")
    _path(history, other, RUN_FILE).write_text("{")
    code, lines = say("verify", "--all")
    assert code == 1
    assert lines[0].startswith(f"{history.url(loaded, 'images')}/file.bin: is truncated: expected ")
    assert lines[1].startswith(f"{history.store.url_of(other)}/{RUN_FILE}: cannot be read: ")
    assert lines[2] == "2 entities, 1 files, 0.0 MB read, 2 findings"
    assert lines[3].startswith("failed: the store is not as it was committed")


def test_verify_says_what_cannot_be_verified(history: History, say: Say) -> None:
    folder = Path(history.store.root) / "rest/test/data_load/run-21-06-01-120000/images"
    folder.mkdir(parents=True)
    (folder / SUCCESS_FILE).touch()
    assert say("verify", "--all") == (
        0,
        [
            f"cannot be verified (SinaraML wrote no checksums)  file://{folder}",
            "1 entities, 0 files, 0.0 MB read, 1 without checksums (SinaraML), 0 findings",
        ],
    )


@pytest.mark.parametrize("argv", [[], ["--all", "run-26-11-21-013811-482"]])
@pytest.mark.usefixtures("history")
def test_verify_wants_targets_or_all(argv: list[str], say: Say) -> None:
    assert say("verify", *argv) == (
        1,
        ["failed: Name runs or URLs to verify, or --all for every run of the environment."],
    )


@pytest.mark.parametrize("command", ["verify", "lineage", "show"])
def test_what_is_not_there_is_told_in_one_line(
    history: History, loaded: RunAddress, tmp_path: Path, say: Say, command: str
) -> None:
    folder = _path(history, loaded, "labels")
    folder.mkdir()
    (folder / "a").touch()
    outside = f"file://{tmp_path}/elsewhere/rest/test/data_load/{loaded.run_id}/images"
    for target, message in (
        (
            "run-20-01-01-000000-000",
            f"{history.store.url} has no run run-20-01-01-000000-000; `sinara ls` lists the runs",
        ),
        (f"{history.store.url_of(loaded)}/masks", "masks is not a committed entity"),
        (f"{history.store.url_of(loaded)}/labels", "labels is not a committed entity"),
        (outside, f"does not exist, and lies in no known environment ({history.store.url})"),
        ("images", "'images' is neither a run id"),
        ("https://host/a.zip", "is not an entity URL"),
    ):
        code, lines = say(command, target)
        assert code == 1
        assert len(lines) == 1
        assert lines[0].startswith("failed: ")
        assert message in lines[0]


def test_lineage_prints_the_tree_and_the_same_graph_as_json(history: History, loaded: RunAddress, say: Say) -> None:
    prod = store_at(str(Path(history.store.root).parent / "prod"))
    train = history.run("data_prep", "train", inputs=[history.url(loaded, "images")], store=prod)
    images = history.url(loaded, "images")
    code, lines = say("lineage", loaded.run_id)
    assert code == 0
    assert [line.split("  (")[0] for line in lines] == [
        images,
        "  made from",
        f"    {ZIP.url}",
        "  used by",
        f"    {history.url(train, 'train', prod)}",
    ]
    assert say("lineage", images, "--back")[1] == lines[:3]
    assert say("lineage", images, "--forward")[1] == [lines[0], *lines[3:]]
    code, printed = say("lineage", images, "--json")
    page = json.loads("\n".join(printed))
    assert (code, page["format"], page["targets"]) == (0, 1, [images])
    assert [edge["to"] for edge in page["edges"]] == [images, history.url(train, "train", prod)]


def test_lineage_goes_on_without_an_environment_that_cannot_be_reached_and_says_so(
    history: History, loaded: RunAddress, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SINARA_PROD_ROOT", "nowhere://bucket/prod")
    code, lines = say("lineage", loaded.run_id)
    assert code == 0
    assert lines[0].startswith("environment prod is left out, it cannot be reached: ")
    assert lines[1].startswith(history.url(loaded, "images"))


def test_gc_removes_by_the_rules_and_prints_the_same_plan_before(
    history: History, loaded: RunAddress, say: Say
) -> None:
    newer = history.run("data_load", "images")
    assert say("gc") == (0, ["removed 0 runs and remains, 0.0 MB"])
    code, planned = say("gc", "--keep-last", "1", "--dry-run")
    assert code == 0
    assert _path(history, loaded, RUN_FILE).exists()
    assert planned[0].startswith(f"would remove  {history.store.url_of(loaded)}  0.0 MB  not among the last 1")
    assert say("gc", "--keep-last", "1", "--keep", loaded.run_id)[1] == ["removed 0 runs and remains, 0.0 MB"]
    code, done = say("gc", "--keep-last", "1")
    assert (code, done) == (0, [line.replace("would remove", "removed") for line in planned])
    assert [run.run_id for run in history.store.runs(newer.step)] == [newer.run_id]


def test_gc_keeps_finished_runs_while_prod_cannot_be_reached_and_ends_with_1(
    history: History, loaded: RunAddress, say: Say, monkeypatch: pytest.MonkeyPatch
) -> None:
    history.run("data_load", "images")
    monkeypatch.setenv("SINARA_PROD_ROOT", "nowhere://bucket/prod")
    code, lines = say("gc", "--keep-last", "1")
    assert code == 1
    assert lines[0].startswith("unknown  environment prod  what was read there: The store's root nowhere://")
    assert lines[1] == f"kept  {history.store.url_of(loaded)}  what others read is not known"
    assert lines[-1].startswith("failed: no finished run was removed")
    assert say("gc")[0] == 0


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (["--keep-last", "0"], "'0' is not a whole number from 1 on"),
        (["--keep-last", "-1"], "'-1' is not a whole number from 1 on"),
        (["--older-than", "30"], "'30' is not an age: give hours, days or weeks, such as 12h, 30d or 8w"),
        (["--older-than", "1m"], "'1m' is not an age"),
        (["--older-than", "99999999999d"], "'99999999999d' is older than time itself: give fewer days"),
    ],
)
def test_gc_refuses_rules_that_mean_nothing(argv: list[str], message: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        main(["gc", *argv])
    assert caught.value.code == 2
    assert message in capsys.readouterr().err


def test_ls_shows_a_damaged_record_beside_the_others(history: History, loaded: RunAddress, say: Say) -> None:
    whole = history.run("data_prep", "train", status=RunStatus.FAILED)
    _path(history, loaded, RUN_FILE).write_text("{")
    code, lines = say("ls")
    assert code == 0
    assert [line.split() for line in lines[2:]] == [
        ["data_load", loaded.run_id, "(damaged", "record)", "images"],
        ["data_prep", whole.run_id, "FAILED", "train"],
    ]


def test_show_tells_a_damaged_entity_beside_the_others_and_what_raw_data_were(history: History, say: Say) -> None:
    run = history.run("data_load", "images", "labels", sources=[ZIP])
    _path(history, run, f"images/{MANIFEST_FILE}").write_text("{}")
    code, lines = say("show", run.run_id)
    assert code == 0
    at = lines.index("  read      https://host/val.zip")
    assert lines[at + 1] == f'            sha256 {"ab" * 32}, 7 bytes, ETag "v1", of Mon, 01 Jan 2024 00:00:00 GMT'
    assert lines[at + 2] == "            fetched 2026-11-21 00:00:00 UTC"
    assert lines[at + 3].startswith("  published images: damaged: ")
    assert lines[at + 4].startswith("  published labels: 1 files")


@pytest.mark.parametrize("command", ["verify", "lineage", "gc"])
def test_help_of_a_command_loads_nothing_heavy(command: str) -> None:
    code = f"""import sys
from sinara_lib.cli import main
try:
    main([{command!r}, "--help"])
except SystemExit as end:
    print(end.code, [n for n in ("pyarrow", "pydantic", "fsspec", "psutil") if n in sys.modules])"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []"


@pytest.mark.parametrize(("damage", "code"), [(False, 0), (True, 1)])
def test_a_reader_who_leaves_early_changes_neither_the_exit_code_nor_gets_a_traceback(
    history: History, loaded: RunAddress, damage: bool, code: int
) -> None:
    if damage:
        _path(history, loaded, "images/file.bin").write_bytes(b"x")
    for argv in (["ls"], ["verify", "--all"]):
        command = [sys.executable, "-c", "import sys; from sinara_lib.cli import main; sys.exit(main())", *argv]
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
            assert process.stdout is not None
            assert process.stderr is not None
            process.stdout.close()
            assert process.stderr.read() == ""
        assert process.returncode == (code if argv[0] == "verify" else 0)


@pytest.mark.parametrize("command", ["show", "verify", "lineage"])
def test_an_object_store_without_credentials_is_told_in_one_message(
    command: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "FSSPEC_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert main([command, f"s3://nobodys-{command}/rest/test/load/run-26-11-21-013711-482"]) == 1
    told = capsys.readouterr()
    (line,) = (told.out + told.err).splitlines()
    assert "nobodys" in line
    assert "Unable to locate credentials. Check" in line
    assert "AWS_*" in line
