"""Which Python packages a service needs, each pinned to one version: the closure of what is installed here."""

import json
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any, Literal, get_args

from sinara_lib.errors import ArchiveError, DataError

OnnxruntimePackage = Literal["onnxruntime", "onnxruntime-gpu"]
ONNXRUNTIME_PACKAGES: tuple[OnnxruntimePackage, ...] = get_args(OnnxruntimePackage)
_PIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*==[A-Za-z0-9][A-Za-z0-9._+!-]*")
_CUDA = "onnxruntime-gpu[cuda,cudnn]"
"""The GPU build with CUDA's libraries as packages, so that the image needs nothing but the driver."""


def pin_installed(names: Iterable[str]) -> list[str]:
    """Return `name==version` of these packages and all they need, as installed here, sorted.

    A name may ask for extras, as in `package[extra]`. Raises DataError when a package is not installed.
    """
    from packaging.requirements import Requirement

    pins: dict[str, str] = {}
    waiting = [Requirement(name) for name in names]
    done: set[tuple[str, str]] = set()
    while waiting:
        wanted = waiting.pop()
        name = _normal(wanted.name)
        installed = _distribution(wanted.name)
        pins[name] = f"{name}=={installed.version}"
        extras = {extra for extra in ("", *wanted.extras) if (name, extra) not in done}
        done |= {(name, extra) for extra in extras}
        for needed in map(Requirement, installed.requires or ()):
            if any(needed.marker is None or needed.marker.evaluate({"extra": extra}) for extra in extras):
                waiting.append(needed)
    return sorted(pins.values())


def read_pins(sources: Path) -> list[str]:
    """Return the pins of a packed service, each `name==version` and nothing else.

    pip would take more: options, files and addresses whose setup runs on this machine. Raises ArchiveError.
    """
    file = sources / "requirements.txt"
    lines = [line.strip() for line in file.read_text(encoding="utf-8").splitlines()]
    for number, line in enumerate(lines, 1):
        if line and not _PIN.fullmatch(line):
            raise ArchiveError(
                f"{file}, line {number}: expected name==version, found {line[:80]!r}; pack the service again."
            )
    return [line for line in lines if line]


def choose_onnxruntime(pins: Sequence[str], package: OnnxruntimePackage) -> list[str]:
    """Return the pins with this build of ONNX Runtime in the place of the one they name.

    Both builds are not always released under the same numbers: the other one is looked up with pip, in the same series
    (1.31.*), and the GPU build brings CUDA's libraries. Raises DataError when there is none that fits the other pins.
    """
    versions = dict(pin.split("==") for pin in pins)
    present = [name for name in ONNXRUNTIME_PACKAGES if name in versions]
    if len(present) != 1:
        raise DataError(f"The pins name {' and '.join(present) or 'no onnxruntime'}; expected one of its two builds.")
    if present == [package] and (package == "onnxruntime" or any(map(_is_cuda, versions))):
        return sorted(pins)
    version = versions[present[0]]
    series = version if present == [package] else ".".join(version.split(".")[:2]) + ".*"
    kept = {name: version for name, version in versions.items() if name != present[0] and not _is_cuda(name)}
    wanted = f"{_CUDA if package == 'onnxruntime-gpu' else package}=={series}"
    found = resolve([wanted], constraints=[f"{name}=={version}" for name, version in kept.items()])
    return sorted(f"{name}=={version}" for name, version in {**kept, **found}.items())


def resolve(wanted: Sequence[str], *, constraints: Sequence[str]) -> dict[str, str]:
    """Ask pip which versions it would install, as `{name: version}`, with all they need; needs the package index.

    pip is configured as the user configured it. Raises DataError with its last lines.
    """
    with tempfile.TemporaryDirectory() as work:
        bounds, report = Path(work) / "constraints.txt", Path(work) / "report.json"
        bounds.write_text("\n".join(constraints) + "\n", encoding="utf-8")
        command = [sys.executable, "-m", "pip", "install", "--dry-run", "--ignore-installed", "--only-binary", ":all:"]
        command += ["--quiet", "--report", str(report), "--constraint", str(bounds), *wanted]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            last = "\n".join(done.stderr.strip().splitlines()[-5:])
            raise DataError(f"pip finds no versions for {', '.join(wanted)} beside the pinned packages:\n{last}")
        document: dict[str, Any] = json.loads(report.read_text(encoding="utf-8"))
    found = (item["metadata"] for item in document["install"])
    return {_normal(facts["name"]): facts["version"] for facts in found}


def _distribution(name: str) -> metadata.Distribution:
    try:
        return metadata.distribution(name)
    except metadata.PackageNotFoundError as error:
        raise DataError(f"{name} is not installed here, so the service cannot be pinned to it.") from error


def _is_cuda(name: str) -> bool:
    # nvidia-ml-py only reads the driver; BentoML needs it on every machine.
    return name.startswith("nvidia-") and name != "nvidia-ml-py"


def _normal(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")
