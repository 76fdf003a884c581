"""What a step costs is seen at its processes: time, processors, memory, bytes."""

import subprocess
import sys
from pathlib import Path

from sinara_lib.runs.costs import CostMeter

WORK = """
import time
held = bytearray(120_000_000)
open({path!r}, "wb").write(held)
end = time.process_time() + 1.0
while time.process_time() < end:
    pass
time.sleep(1.0)
"""


def test_time_processors_memory_and_bytes_of_a_child_are_counted(tmp_path: Path) -> None:
    code = WORK.format(path=str(tmp_path / "file"))
    with CostMeter() as meter:
        subprocess.run([sys.executable, "-c", code], check=True)
    costs = meter.costs()
    assert costs.seconds >= 2.0
    assert 1.0 <= costs.cpu_seconds <= costs.seconds
    assert 120_000_000 <= costs.peak_memory < 400_000_000
    assert 120_000_000 <= costs.bytes_written < 200_000_000


def test_processes_that_were_there_before_do_not_count() -> None:
    other = subprocess.Popen([sys.executable, "-c", "import time; held = bytearray(120_000_000); time.sleep(60)"])
    try:
        with CostMeter() as meter:
            subprocess.run([sys.executable, "-c", "import time; time.sleep(1.2)"], check=True)
        assert meter.costs().peak_memory < 100_000_000
    finally:
        other.kill()
        other.wait()
