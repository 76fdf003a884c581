"""The names that files of one entity have taken."""

import threading
import unicodedata

from sinara_lib.errors import LayoutError


class FileNames:
    """Names of an entity's files, each given once; safe to be used by several threads.

    Names that differ in case or in how an accent is written are one name on Windows and macOS: refused as well.
    """

    def __init__(self, *reserved: str) -> None:
        self._lock = threading.Lock()
        self._files: dict[str, str] = {_folded(name): name for name in reserved}
        self._folders: dict[str, str] = {}

    def take(self, name: str) -> None:
        """Take a path such as `images/a.jpg`. Raises LayoutError when it is taken, clashes or climbs out."""
        parts = name.split("/")
        if {"", ".", ".."} & {*parts} or "\0" in name:
            raise LayoutError(f"a file cannot be named {name!r} here: it climbs out or has an empty part; rename it.")
        folders = ["/".join(parts[:n]) for n in range(1, len(parts))]
        with self._lock:
            self._refuse_clash(name, folders)
            self._files[_folded(name)] = name
            self._folders.update({_folded(folder): folder for folder in folders})

    def free(self, name: str) -> None:
        """Give back the name of a file that was not written to its end."""
        with self._lock:
            self._files.pop(_folded(name), None)

    def _refuse_clash(self, name: str, folders: list[str]) -> None:
        """Raise LayoutError unless the file and its folders are new, or the same folders as before."""
        taken = self._files.get(_folded(name)) or self._folders.get(_folded(name))
        for folder in folders:
            taken = taken or self._files.get(_folded(folder))
            known = self._folders.get(_folded(folder), folder)
            taken = taken or (known if known != folder else None)
        if self._files.get(_folded(name)) == name:
            raise LayoutError(f"a file cannot be named {name!r} here: that name is taken; rename it.")
        if taken is not None:
            raise LayoutError(
                f"a file cannot be named {name!r} here: {taken!r} is there, which is the same on Windows and macOS or "
                "needs a folder where a file stands; rename one of them."
            )


def _folded(name: str) -> str:
    return unicodedata.normalize("NFC", name).casefold()
