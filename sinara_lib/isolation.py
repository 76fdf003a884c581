"""What a block changes in this process and puts back: modules of a folder by plain name, environment variables."""

import os
import sys
from collections.abc import Iterator, Mapping, Set
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType


@contextmanager
def isolated_modules(sources: Path) -> Iterator[None]:
    """Let the modules and packages of a folder be imported by plain name, hidden from the rest of the process."""
    own = {path.stem for path in sources.glob("*.py")} | {path.parent.name for path in sources.glob("*/*.py")}
    hidden = _take_modules(own)
    sys.path.insert(0, str(sources.resolve()))
    try:
        yield
    finally:
        sys.path.remove(str(sources.resolve()))
        _take_modules(own)
        sys.modules.update(hidden)


@contextmanager
def set_variables(values: Mapping[str, str]) -> Iterator[None]:
    """Set environment variables while the block runs, for what reads them there and for processes it starts."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value


def _take_modules(names: Set[str]) -> dict[str, ModuleType]:
    """Take modules and packages of these names, with all that lies in them, out of `sys.modules`."""
    taken = [name for name in sys.modules if name.split(".")[0] in names]
    return {name: sys.modules.pop(name) for name in taken}
