"""Versions of the packages that a step declares in its requirements.txt, as they are installed here."""

import platform
import re
from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path

REQUIREMENTS = "requirements.txt"
OWN = "sinara-lib"

_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def declared_packages(folder: Path) -> dict[str, str | None]:
    """Return name and version of Python and of each declared package, None where one is not installed.

    What an extra of a package brings is declared as well, one level deep.
    """
    path = folder / REQUIREMENTS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    names = dict.fromkeys(name for line in lines for name in _named(line))
    return {"python": platform.python_version()} | {name: _version(name) for name in names if name != OWN}


def _named(line: str) -> Iterator[str]:
    """Yield the packages that a line of requirements names; nothing for comments, options and empty lines."""
    found = _REQUIREMENT.match(line.partition("#")[0])
    if found is None or line.lstrip().startswith("-"):
        return
    name, extras = _normal(found[1]), {_normal(one) for one in (found[2] or "").split(",") if one.strip()}
    yield name
    for needed in _requires(name) if extras else ():
        marker = _EXTRA.search(needed)
        if (marker and _normal(marker[1]) in extras) and (inner := _REQUIREMENT.match(needed)):
            yield _normal(inner[1])


def _requires(name: str) -> list[str]:
    try:
        return distribution(name).requires or []
    except PackageNotFoundError:
        return []


def _version(name: str) -> str | None:
    try:
        return distribution(name).version
    except PackageNotFoundError:
        return None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
