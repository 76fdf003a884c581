"""The command `sinara`: parse arguments, call one function of the library, print its lines. No logic.

`main` is the way in. `run` runs the pipeline, `pipeline` its repositories, `scaffold` writes new ones; `catalog` holds
the commands about a store, `comparison` those between runs.
"""

from sinara_lib.cli.main import main

__all__ = ["main"]
