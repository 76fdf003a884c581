"""Versions of the packages that a step declares in its requirements.txt, as they are installed here."""

import os
import platform
import re
import sys
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path

REQUIREMENTS = "requirements.txt"
OWN = "sinara-lib"

_INFO = ".dist-info"
_NEEDS = "Requires-Dist: "
_REQUIREMENT = re.compile(r"\s*([A-Za-z0-9][A-Za-z0-9._-]*)\s*(?:\[([^\]]*)\])?")
_EXTRA = re.compile(r"""extra\s*==\s*['"]([^'"]+)['"]""")


def declared_packages(folder: Path) -> dict[str, str | None]:
    """Return name and version of Python and of each declared package, None where one is not installed.

    What an extra of a package brings is declared as well, one level deep.
    """
    path = folder / REQUIREMENTS
    lines = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
    installed = _installed()
    names = dict.fromkeys(name for line in lines for name in _named(line, installed))
    found = {name: _version_of(name, installed) for name in names if name != OWN}
    return {"python": platform.python_version()} | found


def _version_of(name: str, installed: Mapping[str, Path]) -> str | None:
    folder = installed.get(name)
    return folder.name.removesuffix(_INFO).rpartition("-")[2] if folder else _version(name)


def _named(line: str, installed: Mapping[str, Path]) -> Iterator[str]:
    """Yield the packages that a line of requirements names; nothing for comments, options and empty lines."""
    found = _REQUIREMENT.match(line.partition("#")[0])
    if found is None or line.lstrip().startswith("-"):
        return
    name, extras = _normal(found[1]), {_normal(one) for one in (found[2] or "").split(",") if one.strip()}
    yield name
    for needed in _requires(name, installed.get(name)) if extras else ():
        marker = _EXTRA.search(needed)
        if (marker and _normal(marker[1]) in extras) and (inner := _REQUIREMENT.match(needed)):
            yield _normal(inner[1])


def _installed() -> dict[str, Path]:
    """Return the folder of every wheel that is installed, by its name: the folder's own name tells the version."""
    found: dict[str, Path] = {}
    for place in sys.path:
        with suppress(OSError):
            for folder in os.listdir(place or "."):
                name = folder.removesuffix(_INFO).rpartition("-")[0]
                if folder.endswith(_INFO) and name:
                    found.setdefault(_normal(name), Path(place or ".") / folder)
    return found


def _requires(name: str, place: Path | None) -> list[str]:
    """Return what a package says that it needs, extras included."""
    if place is None:
        from importlib.metadata import PackageNotFoundError, requires

        try:
            return requires(name) or []
        except PackageNotFoundError:
            return []
    lines = (place / "METADATA").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0].splitlines()
    return [line.removeprefix(_NEEDS) for line in lines if line.startswith(_NEEDS)]


def _version(name: str) -> str | None:
    """Return the version of what is installed in another way than as a wheel; None for what is not installed."""
    from importlib.metadata import PackageNotFoundError, version

    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name.strip()).lower()
