"""Lays out the folder an image is built from: Containerfile, packages, bento.

The packages are installed here, with the pip of this Python as its user configured it, and copied into the image. So
the build needs no network, no pip in the base image, and no credentials or certificates inside.
"""

import json
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from string import Template

import yaml
from pydantic import AwareDatetime, BaseModel, Field, ValidationError

import sinara_lib.container.setup
from sinara_lib.bento.server import GRACE_SECONDS
from sinara_lib.container.builder import EPOCH
from sinara_lib.container.setup import WHEELS_NAME, set_times
from sinara_lib.errors import ArchiveError, SinaraError

_TEMPLATE = Path(__file__).with_name("Containerfile")
_GLIBC_MINORS = range(5, 37)
"""Wheels for glibc 2.5 to 2.36, the one of Debian 12, run in the image."""


class BentoImage(BaseModel):
    """What a bento says about the image it wants; both become words of a Containerfile."""

    base_image: str = Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._/:@-]*$")
    python_version: str = Field(pattern=r"^3\.[0-9]{1,2}$")


class BentoFacts(BaseModel):
    """The part of bento.yaml that an image needs."""

    name: str
    version: str
    creation_time: AwareDatetime
    labels: dict[str, str]
    image: BentoImage

    @classmethod
    def load(cls, bento: Path) -> "BentoFacts":
        """Read bento.yaml of an unzipped bento. Raises ArchiveError when it does not say what an image needs."""
        file = bento / "bento.yaml"
        try:
            return cls.model_validate(yaml.safe_load(file.read_text(encoding="utf-8")))
        except (ValidationError, yaml.YAMLError, RecursionError) as error:
            raise ArchiveError(f"{file} does not describe a bento ({error}); pack the service again.") from error


def write_context(folder: Path, bento: Path, *, facts: BentoFacts, base: str, pins: Sequence[str]) -> None:
    """Fill `folder` with what the image of `bento` on `base` is built from; the bento is moved there.

    The same bento, base and pins give the same files, modes and times. Raises SinaraError when pip cannot install.
    """
    folder.mkdir()
    shutil.move(bento, folder / "bento")
    shutil.copyfile(sinara_lib.container.setup.__file__, folder / "container_setup.py")
    install_packages(folder / "packages", pins=pins, python=facts.image.python_version)
    lines = "LABEL " + " \\\n    ".join(f"{_quote(key)}={_quote(value)}" for key, value in _labels(facts, base).items())
    text = Template(_TEMPLATE.read_text(encoding="utf-8")).substitute(
        base=base, epoch=EPOCH, grace=GRACE_SECONDS, python=facts.image.python_version, labels=lines
    )
    (folder / "Containerfile").write_text(text, encoding="utf-8")
    for path in folder.rglob("*"):
        path.chmod(0o755 if path.is_dir() or path.stat().st_mode & 0o100 else 0o644)
    set_times(folder, seconds=EPOCH)


def install_packages(folder: Path, *, pins: Sequence[str], python: str) -> None:
    """Install the pinned wheels for that Python on Linux into `folder`, uncompiled; pip keeps them in its cache.

    Beside them stands `WHEELS_NAME`: name -> sha256 of the wheel that was fetched, for the list of packages.
    """
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--no-compile", "--only-binary", ":all:"]
    command += ["--target", str(folder), "--implementation", "cp", "--python-version", python]
    command += [option for name in _platforms(platform.machine()) for option in ("--platform", name)]
    with tempfile.TemporaryDirectory() as work:
        report = Path(work) / "report.json"
        hashes = _install([*command, "--report", str(report), "--", *pins], report, python=python)
    (folder / WHEELS_NAME).write_text(json.dumps(hashes, indent=1) + "\n", encoding="utf-8")
    # Commands of the packages name this machine's Python; the image runs modules.
    shutil.rmtree(folder / "bin", ignore_errors=True)


def _install(command: list[str], report: Path, *, python: str) -> dict[str, str]:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = "\n".join(done.stderr.strip().splitlines()[-5:])
        raise SinaraError(f"pip cannot install the service's packages for Python {python} on Linux:\n{last}")
    installed = json.loads(report.read_text(encoding="utf-8"))["install"]
    return {item["metadata"]["name"]: item["download_info"]["archive_info"]["hashes"]["sha256"] for item in installed}


def _platforms(machine: str) -> list[str]:
    machine = {"amd64": "x86_64", "arm64": "aarch64"}.get(machine.lower(), machine.lower())
    numbered = [f"manylinux_2_{minor}_{machine}" for minor in reversed(_GLIBC_MINORS)]
    return [*numbered, f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}"]


def _labels(facts: BentoFacts, base: str) -> Mapping[str, str]:
    labels = {
        "title": facts.name,
        "version": facts.version,
        "created": facts.creation_time.isoformat(),
        "base.name": base,
    }
    if "git_commit" in facts.labels:
        labels["revision"] = facts.labels["git_commit"]
    own = {f"sinara.{key}": value for key, value in sorted(facts.labels.items())}
    return {f"org.opencontainers.image.{key}": value for key, value in labels.items()} | own


def _quote(text: str) -> str:
    # As in a shell's double quotes; JSON escapes all but the dollar sign.
    return json.dumps(text).replace("$", "\\$")
