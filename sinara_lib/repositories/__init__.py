"""The repositories that steps live in: clones in the user's cache, the lock of their commits, checkouts side by side.

`step_folder` is the way in: it gives the folder that a step of `sinara.toml` runs from. What `sinara.toml` may say is
read in `step_sources.py`; git itself is run through `runs/git.py`.
"""

from sinara_lib.repositories.places import step_folder

__all__ = ["step_folder"]
