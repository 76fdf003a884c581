"""Print the numbers of decision 018 for a checkout: modules at the tops, longest chains of rooms, lines of Python.

    python docs/count_rooms.py [CHECKOUT]

A module at the top is a `.py` file, `__init__.py`, `step.dev.py` and `step.prod.py` aside. A room counts as one, and so
do rooms that import each other in a circle; imports inside functions count.
"""

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

STEPS = ("data_load", "data_prep", "model_train", "model_pack", "model_eval")
LIBRARY = "sinara_lib"

Imports = dict[str, set[str]]
"""Of each room or module at the top, which others it imports."""


def python_files(checkout: Path, folder: str) -> list[Path]:
    """Return the Python files that git tracks below a folder, relative to it."""
    command = ["git", "ls-files", "-z", "--", f"{folder}/*.py"]
    listed = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout
    return [Path(name).relative_to(folder) for name in listed.split("\0") if name]


def counted(files: list[Path]) -> list[Path]:
    """Return the files that are modules: neither a room's sign at the very top nor what starts a step."""
    return [one for one in files if str(one) not in {"__init__.py", "step.dev.py", "step.prod.py"}]


def count_top(files: list[Path]) -> int:
    """Return how many modules lie at the top."""
    return sum(len(one.parts) == 1 for one in counted(files))


def read_imports(checkout: Path, folder: str, files: list[Path]) -> Imports:
    """Return who imports whom; a step's modules know each other by plain names, the library's by `sinara_lib.`."""
    rooms = {one: one.with_suffix("").parts[0] for one in counted(files)}
    found: Imports = {room: set() for room in rooms.values()}
    for file, room in rooms.items():
        for name in _imported(ast.parse((checkout / folder / file).read_text(encoding="utf-8"))):
            other = name.removeprefix(f"{LIBRARY}.").partition(".")[0]
            is_here = name.startswith(f"{LIBRARY}.") == (folder == LIBRARY)
            if is_here and other in found and other != room:
                found[room].add(other)
    return found


def longest_chain(imports: Imports) -> int:
    """Return how many rooms the longest chain of imports has."""
    reached = {room: _reach(imports, room) for room in imports}
    circle = {room: frozenset(other for other in reached[room] if room in reached[other]) for room in imports}

    @cache
    def depth(rooms: frozenset[str]) -> int:
        below = {circle[other] for room in rooms for other in imports[room]} - {rooms}
        return 1 + max(map(depth, below), default=0)

    return max(map(depth, circle.values()))


def _reach(imports: Imports, room: str) -> set[str]:
    """Return the room and all that it imports, also by others."""
    found, waiting = {room}, [room]
    while waiting:
        new = imports[waiting.pop()] - found
        found |= new
        waiting += new
    return found


def _imported(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)


def _lines(checkout: Path, *folders: str) -> int:
    paths = [checkout / folder / one for folder in folders for one in python_files(checkout, folder)]
    return sum(len(path.read_text(encoding="utf-8").splitlines()) for path in paths)


def main() -> None:
    """Print one line for each row of the table."""
    checkout = Path(sys.argv[1] if len(sys.argv) > 1 else Path(__file__).parents[1])
    files = {folder: python_files(checkout, folder) for folder in (*STEPS, LIBRARY)}
    chains = {folder: longest_chain(read_imports(checkout, folder, files[folder])) for folder in files}
    rows = {
        "files at the top of the steps": ", ".join(str(count_top(files[step])) for step in STEPS),
        "files at the library's top": count_top(files[LIBRARY]),
        "longest chain in the steps": ", ".join(str(chains[step]) for step in STEPS),
        "longest chain in the library": chains[LIBRARY],
        "lines of the steps": f"{_lines(checkout, *STEPS):,}",
        "lines of the library": f"{_lines(checkout, LIBRARY):,}",
        "lines of the tests": f"{_lines(checkout, 'tests'):,}",
    }
    for name, value in rows.items():
        sys.stdout.write(f"{name}: {value}\n")


if __name__ == "__main__":
    main()
