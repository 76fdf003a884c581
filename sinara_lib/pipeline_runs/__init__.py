"""A run of the whole pipeline: its record while it goes on, which run of each step later ones read, and where it began.

Front door: `started_run`, which `pipeline.run_pipeline` works in. What is recorded is said in
`store/pipeline_record.py`; which steps there are, and in which order they run, is `pipeline.py`'s.
"""

from sinara_lib.pipeline_runs.run_in_progress import RunInProgress, started_run

__all__ = ["RunInProgress", "started_run"]
