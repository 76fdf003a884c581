"""A run of the whole pipeline: its record while it goes on, which run of each step later ones read, and where it began.

Front door: `started_run`, and `StepWork`, which keeps or runs one step. What is recorded is said in
`store/pipeline_record.py`, whether a step has to run in `keeping/`; which steps there are, and in which order they
run, is `pipeline.py`'s.
"""

from sinara_lib.pipeline_runs.ready_steps import ReadyStep, ready_steps
from sinara_lib.pipeline_runs.run_in_progress import RunInProgress, resumed_run, started_run
from sinara_lib.pipeline_runs.step_work import StepWork, explain

__all__ = ["ReadyStep", "RunInProgress", "StepWork", "explain", "ready_steps", "resumed_run", "started_run"]
