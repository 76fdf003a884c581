"""`import sinara`: the name SinaraML's steps know; its modules are those of `sinara_lib.compat`."""

import sinara_lib.compat
from sinara_lib import __version__

__all__ = ["__version__"]
__path__ = sinara_lib.compat.__path__
