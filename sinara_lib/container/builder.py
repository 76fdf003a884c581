"""The tool that builds images: docker, podman or buildah, whichever is there."""

import json
import os
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from sinara_lib.bento.build import EARLIEST
from sinara_lib.errors import SinaraError

BuilderName = Literal["docker", "podman", "buildah"]
BUILDERS: tuple[BuilderName, ...] = get_args(BuilderName)
EPOCH = int(EARLIEST.timestamp())
"""Time of all files in an image, seconds since 1970: one for all, so that versions share the layers they can share."""


@dataclass(frozen=True)
class Builder:
    """One of the tools, called with its own settings and credentials."""

    name: BuilderName

    def build(self, context: Path, *, tag: str) -> None:
        """Build the image of a folder with a Containerfile. Raises SinaraError with the tool's last lines."""
        self._run(*self._build_options(context), "--tag", tag, str(context), doing=f"build {tag}")

    def extract(self, context: Path, *, stage: str, folder: Path) -> None:
        """Copy the files of one stage of the same Containerfile into `folder`; what was built is not built again."""
        target = ["--target", stage, "--output", f"type=local,dest={folder}"]
        self._run(*self._build_options(context), *target, str(context), doing=f"read {stage} of the image")

    def size(self, tag: str) -> str:
        """Return the size of an image with its base, uncompressed, in words."""
        if self.name == "buildah":
            listed = json.loads(self._run("images", "--json", tag, doing=f"look at {tag}"))
            return str(listed[0]["size"])
        size = self._run("image", "inspect", "--format", "{{.Size}}", tag, doing=f"look at {tag}")
        return f"{int(size) / 1e6:.0f} MB"

    def push(self, tag: str) -> None:
        """Push to the registry in the tag, with the credentials the tool has. Raises SinaraError."""
        if "/" not in tag:
            raise SinaraError(f"Cannot push {tag}: it names no registry. Use --tag REGISTRY/NAME:VERSION.")
        self._run("push", tag, doing=f"push {tag}")

    def _build_options(self, context: Path) -> list[str]:
        options = ["build", "--file", str(context / "Containerfile")]
        if self.name == "docker":
            return [*options, "--network", "none", "--build-arg", f"SOURCE_DATE_EPOCH={EPOCH}"]
        # The OCI format has no place for a health check.
        return [*options, "--layers", "--format", "docker", "--timestamp", str(EPOCH)]

    def _run(self, *arguments: str, doing: str) -> str:
        command = [self.name, *arguments]
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False)
        if done.returncode:
            last = "\n".join((done.stdout + done.stderr).strip().splitlines()[-15:])
            raise SinaraError(f"{self.name} could not {doing} (exit code {done.returncode}). Its last lines:\n{last}")
        return done.stdout


def find_builder(name: BuilderName | None = None) -> Builder:
    """Return the tool of that name, or the first that works here. Raises SinaraError naming what to install."""
    names: Sequence[BuilderName] = (name,) if name else BUILDERS
    reasons = []
    for one in names:
        reason = _why_not(one)
        if reason is None:
            return Builder(one)
        reasons.append(f"{one}: {reason}")
    raise SinaraError(
        f"No tool here can build an image ({'; '.join(reasons)}). Install one: docker with its daemon, podman, or "
        "buildah, for example with `apt install podman`."
    )


def _why_not(name: BuilderName) -> str | None:
    # `docker version` asks the daemon as well; a client alone builds nothing.
    problem, _ = _ask(name, "version")
    if problem is None and name == "docker":
        problem, text = _ask(name, "build", "--help")
        if problem is None and "--output" not in text:
            problem = "its BuildKit is missing, install the buildx plugin"
    return problem


def _ask(*command: str) -> tuple[str | None, str]:
    """Return what keeps a command from working, if anything does, and what it printed."""
    try:
        done = subprocess.run(command, env=_environment(), capture_output=True, text=True, check=False, timeout=30)
    except FileNotFoundError:
        return "not installed", ""
    except subprocess.TimeoutExpired:
        return "does not answer", ""
    if done.returncode:
        return (done.stderr.strip().splitlines() or [f"exit code {done.returncode}"])[-1], ""
    return None, done.stdout


def _environment() -> dict[str, str]:
    return {**os.environ, "SOURCE_DATE_EPOCH": str(EPOCH), "DOCKER_BUILDKIT": "1"}
