"""Whether the process of a run is still there."""

import subprocess
import sys

import psutil
import pytest
from pydantic import ValidationError

from sinara_lib.store.liveness import is_alive, this_process
from sinara_lib.store.manifest import Process, RunRecord

ASK = "from sinara_lib.store.liveness import this_process; print(this_process().model_dump_json(), flush=True); input()"


def _with(record: RunRecord, process: Process | None) -> RunRecord:
    return record.model_copy(update={"process": process})


def test_this_process_is_alive(record: RunRecord) -> None:
    assert is_alive(_with(record, this_process())) is True


def test_another_process_is_alive_until_it_is_killed(record: RunRecord) -> None:
    with subprocess.Popen([sys.executable, "-c", ASK], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        assert child.stdout is not None
        other = _with(record, Process.model_validate_json(child.stdout.readline()))
        alive = is_alive(other)
        child.kill()
    assert alive is True
    assert other.process is not None
    assert other.process.pid == child.pid
    assert is_alive(other) is False


def test_a_process_that_got_the_pid_of_a_dead_one_is_not_it(record: RunRecord) -> None:
    me = this_process()
    assert me.ticks is not None
    assert is_alive(_with(record, me.model_copy(update={"ticks": me.ticks - 1}))) is False


def test_of_another_machine_or_an_older_record_nothing_is_known(record: RunRecord) -> None:
    elsewhere = this_process().model_copy(update={"machine": "other/boot/pid:[1]"})
    assert is_alive(_with(record, elsewhere)) is None
    assert is_alive(_with(record, None)) is None


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_step_of_the_wall_clock_changes_nothing(
    record: RunRecord, monkeypatch: pytest.MonkeyPatch, hours: int
) -> None:
    me = this_process()
    moved = me.born + hours * 3600
    monkeypatch.setattr(psutil, "boot_time", lambda: moved)
    monkeypatch.setattr(psutil.Process, "create_time", lambda _: moved)
    assert this_process().born == moved
    assert is_alive(_with(record, me)) is True


def test_a_record_from_before_ticks_says_nothing_of_its_process(record: RunRecord) -> None:
    assert is_alive(_with(record, this_process().model_copy(update={"ticks": None}))) is None


@pytest.mark.parametrize("pid", [-1, 0, 2**31])
def test_a_number_that_no_process_has_is_damage(pid: int) -> None:
    with pytest.raises(ValidationError):
        Process(machine="m", pid=pid, born=1.0)
