"""A repository with one committed step, and what strangers, hooks and settings do to git."""

from pathlib import Path

from step_cases import git


def make_repository(folder: Path) -> Path:
    """Make a repository with a folder `step` of one file, committed, and return its folder."""
    (folder / "step").mkdir(parents=True)
    (folder / "step" / "a.py").write_text("A = 1\n")
    git(folder, "init", "-q", "-b", "main")
    return commit_all(folder)


def commit_all(folder: Path) -> Path:
    """Commit everything in a repository and return its folder."""
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "more")
    return folder


def add_hook(folder: Path, name: str, script: str) -> None:
    """Let a repository have a hook."""
    hook = folder / ".git" / "hooks" / name
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(f"#!/bin/sh\n{script}\n")
    hook.chmod(0o755)


def hook_variables(folder: Path) -> dict[str, str]:
    """What git sets for the hooks of a repository."""
    return {
        "GIT_DIR": str(folder / ".git"),
        "GIT_WORK_TREE": str(folder),
        "GIT_INDEX_FILE": str(folder / ".git" / "index"),
        "GIT_PREFIX": "",
    }
