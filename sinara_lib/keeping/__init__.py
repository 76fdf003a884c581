"""Whether a step has to run: what its result is made by, which earlier run was made by the same, whether that stands.

Front door: `decide`. A step's run notes its own identity when it ends well (`finishing.py`); parts of an identity are
compared in `differences.py`, the raw data in `sources.py`. Running steps belongs to `pipeline.py`.
"""

from sinara_lib.keeping.contents import CurrentContents
from sinara_lib.keeping.decision import Asked, Verdict, decide

__all__ = ["Asked", "CurrentContents", "Verdict", "decide"]
