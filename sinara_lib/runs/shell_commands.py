"""An IPython extension: a `!command` that ends with another exit code than 0 fails its cell.

The kernel of a step loads it; IPython itself goes on after such a command, whatever it was to fetch or make.
"""

import os
from typing import Any

from sinara_lib.errors import CommandFailedError

FAILING_VARIABLE = "SINARA_FAILING_COMMANDS"
"""`ignore` lets failing commands pass."""


def load_ipython_extension(shell: Any) -> None:
    """Watch the commands of a shell."""
    if os.environ.get(FAILING_VARIABLE) == "ignore":
        return
    run = shell.system

    def system(command: str) -> None:
        run(command)
        if code := shell.user_ns.get("_exit_code"):
            raise CommandFailedError(
                f"`{command}` ended with exit code {code}. To let failing commands pass, set "
                'step_params.failing_commands to "ignore".'
            )

    shell.system = system
