"""What a new pipeline and a new step consist of: text, from `templates/`, that runs at once.

Front door: `new_pipeline` and `new_step`; `sample_inputs` is for the tests that they write. What a step's folder means
belongs to `step_models` and `step_run`.
"""

from sinara_lib.scaffold.writing import new_pipeline, new_step

__all__ = ["new_pipeline", "new_step"]
