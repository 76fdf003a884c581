"""Where the steps of a pipeline come from, as `sinara.toml` names them: folders and git repositories. Pure, no I/O."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import PurePosixPath
from typing import Any

from sinara_lib.errors import LayoutError, ParamsError
from sinara_lib.layout import check_name, step_name
from sinara_lib.urls import without_credentials

_GIT_URL = re.compile(r"(\w+://|[\w.-]+@[\w.-]+:)")
_SCP = re.compile(r"(?!\w:[\\/])[\w.@-]+:(?!//)")
_HTTP = re.compile(r"https?://", re.IGNORECASE)
_PASSWORD = re.compile(r"\w+://[^/?#]*:[^/?#]*@")
_REF = re.compile(r"(?!-)(?!.*(\.\.|@\{|//))[^\s~^:?*\[\\\x00-\x1f\x7f]+")
_KEYS = ("name", "folder", "git", "ref", "path")


@dataclass(frozen=True)
class StepSource:
    """A step's name, and its folder or its git repository: URL, perhaps a tag, branch or commit, a folder within."""

    name: str
    folder: str | None = None
    git: str | None = None
    ref: str | None = None
    path: str = ""

    @property
    def shown(self) -> str:
        """The source as it may be shown and stored."""
        place = without_credentials(self.git) if self.git else str(self.folder)
        return place + (f", folder {self.path}" if self.path else "")

    @property
    def repository_folder(self) -> str:
        """What the clone's folder is called, so that the step in it has its name."""
        found = repository_name(str(self.git))
        return found if self.path or _name_of(found) == self.name else self.name


def is_git_url(source: str) -> bool:
    """Tell a git URL from a folder."""
    return _GIT_URL.match(source) is not None


def is_local_path(url: str) -> bool:
    """Tell the path of a repository on this machine from a URL and from `host:path`."""
    return "://" not in url and not _SCP.match(url)


def repository_name(source: str) -> str:
    """Return the last part of a folder or git URL, without `.git`."""
    return re.split(r"[/:]", source.rstrip("/"))[-1].removesuffix(".git")


def read_sources(steps: Iterable[Any] | Mapping[str, Any], where: str) -> tuple[StepSource, ...]:
    """Return the sources that `pipeline.steps` holds: a list, or a table by the steps' names.

    Raises ParamsError for what names no folder and no repository, and for two steps of one name.
    """
    named = steps.items() if isinstance(steps, Mapping) else [(None, entry) for entry in steps]
    sources = [_read(name, entry, f"{where}: pipeline.steps") for name, entry in named]
    seen: dict[str, StepSource] = {}
    for source in sources:
        if source.name in seen:
            raise ParamsError(
                f"{where}: two steps are named {source.name}: {seen[source.name].shown} and {source.shown}. "
                'Give one of them a name of its own: { name = "…", git = "…" }.'
            )
        seen[source.name] = source
    return tuple(sources)


def check_git_url(url: str, where: str) -> str:
    """Return a git URL that may be given to git. Raises ParamsError, without its secrets, for one that may not."""
    shown = without_credentials(url)
    if not url or url.startswith("-") or re.match(r"\w+::", url) or re.search(r"[\x00-\x1f\x7f]", url):
        raise ParamsError(
            f"{where}: {shown!r} is no URL of a repository: git would take it for an option or a command. "
            "Give https://…, ssh://…, git@host:path or a path."
        )
    if re.match(r"[\w.-]*@?-|\w+://([^/?#]*@)?-", url):
        raise ParamsError(f"{where}: the host of {shown!r} begins with -, which ssh would take for an option.")
    if _PASSWORD.match(url) or (_HTTP.match(url) and shown != url):  # a token stands as a user or in a query, too
        raise ParamsError(
            f"{where}: {shown} was given with a user, password or token, which has no place in a file: leave it "
            "out, keep it where git looks for it (`git config credential.helper`), or use ssh."
        )
    return url


def _read(name: str | None, entry: Any, where: str) -> StepSource:
    if isinstance(entry, str):
        if is_git_url(entry) or entry.startswith("-") or re.match(r"\w+::", entry):
            return _read(name, {"git": entry}, where)
        return _read(name, {"folder": entry}, where)
    if not isinstance(entry, Mapping) or not all(isinstance(value, str) for value in entry.values()):
        raise ParamsError(f"{where}: {entry!r} is no step: give a folder, or {{ git = URL, ref = …, path = … }}.")
    if unknown := [key for key in entry if key not in _KEYS]:
        raise ParamsError(f"{where}: unknown key {unknown[0]!r}; known: {', '.join(_KEYS)}.")
    if ("git" in entry) == ("folder" in entry):
        raise ParamsError(f"{where}: give each step either a folder or a git URL.")
    name = name or entry.get("name")
    return _from_git(name, entry, where) if "git" in entry else _from_folder(name, entry, where)


def _from_folder(name: str | None, entry: Mapping[str, str], where: str) -> StepSource:
    if extra := [key for key in ("ref", "path") if key in entry]:
        raise ParamsError(f"{where}: {extra[0]} belongs to a git URL; {entry['folder']} is a folder.")
    return StepSource(_same_name(name, entry["folder"], where), folder=entry["folder"])


def _from_git(name: str | None, entry: Mapping[str, str], where: str) -> StepSource:
    url, ref = check_git_url(entry["git"], where), entry.get("ref")
    if ref is not None and not _REF.fullmatch(ref):
        raise ParamsError(f"{where}: {ref!r} is no tag, branch or commit.")
    path = PurePosixPath(entry.get("path", ""))
    if path.is_absolute() or ".." in path.parts:
        raise ParamsError(f"{where}: path {str(path)!r} leaves the repository: give a folder within it.")
    within = "" if path == PurePosixPath() else str(path)
    found = _same_name(name, within, where) if within else name or _name_of(repository_name(url))
    return StepSource(_usable(found, where), git=url, ref=ref, path=within)


def _same_name(name: str | None, folder: str, where: str) -> str:
    """Return the name of the step in a folder: its own. Raises ParamsError where it is told to be another."""
    found = _name_of(repository_name(folder))
    if name not in {None, found}:
        raise ParamsError(f"{where}: the step in {folder} is {found}, after its folder, not {name}: call it {found}.")
    return _usable(found, where)


def _name_of(folder: str) -> str:
    return folder.rsplit("-", 1)[-1]


def _usable(name: str, where: str) -> str:
    try:
        return step_name(check_name(name, "step"))
    except LayoutError as error:
        raise ParamsError(f"{where}: {error}") from error
