"""Runs once inside an image that is being built: checks that the base fits, compiles, and writes the package list.

Copied into the image, where nothing of this library is: standard library only. `python3 container_setup.py FOLDER
PYTHON`, where FOLDER holds `packages/` and `bento/`, and PYTHON is the version the bento was packed with, as "3.11".
"""

import compileall
import importlib
import json
import os
import platform
import py_compile
import sys
from collections.abc import Iterable, Iterator
from importlib import metadata
from pathlib import Path
from typing import Any

Component = dict[str, Any]
SBOM_NAME = "sbom.json"
WHEELS_NAME = "wheels.json"
"""Beside the packages: name -> sha256 of the wheel that each was unpacked from."""


def main(folder: Path, python: str) -> None:
    """Check, compile and describe the service in `folder`; ends with a message when the base image does not fit."""
    found = f"{sys.version_info.major}.{sys.version_info.minor}"
    if found != python:
        sys.exit(f"The base image has Python {found}, and the bento was packed with Python {python}.")
    sys.dont_write_bytecode = True
    sys.path[:0] = [str(folder / "bento" / "src"), str(folder / "packages")]
    importlib.import_module("service")
    compile_all(folder)
    sbom = describe(folder, packages=python_packages(sys.path), root=Path("/"))
    (folder / SBOM_NAME).write_text(json.dumps(sbom, indent=1, sort_keys=True) + "\n", encoding="utf-8")
    set_times(folder, seconds=int(os.environ["SOURCE_DATE_EPOCH"]))


def compile_all(folder: Path) -> None:
    """Compile every module, so that a read-only container starts fast; files that no Python 3 reads are left alone."""
    mode = py_compile.PycInvalidationMode.UNCHECKED_HASH  # a time stamp would differ from build to build
    compileall.compile_dir(str(folder), quiet=2, invalidation_mode=mode)


def describe(folder: Path, *, packages: Iterable[tuple[str, str, str]], root: Path) -> Component:
    """Return a CycloneDX 1.5 document: the service, its model, Python and Debian packages with versions."""
    components = [_python()]
    wheels = _wheels(folder / "packages" / WHEELS_NAME)
    for name, version, license_text in packages:
        checksum = wheels.get(_key(name))
        hashes = {"hashes": [{"alg": "SHA-256", "content": checksum}]} if checksum else {}
        components.append(_package("pypi", name, version, license_text) | hashes)
    components += [_package("deb/debian", name, version, "") for name, version in debian_packages(root)]
    components += [_model(folder / "bento" / "src")] if (folder / "bento/src/artifacts/model.onnx").is_file() else []
    unique = {component["bom-ref"]: component for component in components}
    return {
        "bomFormat": "CycloneDX",
        "specVersion": "1.5",
        "version": 1,
        "metadata": {"component": {"type": "container", "name": "rest_service", "bom-ref": "image"}},
        "components": [unique[key] for key in sorted(unique)],
    }


def python_packages(path: list[str]) -> Iterator[tuple[str, str, str]]:
    """Yield name, version and licence of each Python package that can be imported from `path`."""
    for found in metadata.distributions(path=path):
        facts = found.metadata.json
        yield found.metadata["Name"], found.version, str(facts.get("license_expression") or facts.get("license") or "")


def debian_packages(root: Path) -> Iterator[tuple[str, str]]:
    """Yield name and version of each installed Debian package; nothing when the system below `root` is no Debian."""
    status = root / "var/lib/dpkg/status"
    files = [status] if status.is_file() else sorted((root / "var/lib/dpkg/status.d").glob("*"))
    for file in files:
        for paragraph in file.read_text(encoding="utf-8", errors="replace").split("\n\n"):
            fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line and line[0] != " ")
            if fields.get("Package") and fields.get("Status", "installed").endswith("installed"):
                yield fields["Package"], fields["Version"]


def set_times(folder: Path, *, seconds: int) -> None:
    """Give every file and folder the same time, whenever it was made."""
    for path in [folder, *folder.rglob("*")]:
        os.utime(path, (seconds, seconds), follow_symlinks=False)


def _wheels(file: Path) -> dict[str, str]:
    if not file.is_file():
        return {}
    return {_key(name): checksum for name, checksum in json.loads(file.read_text(encoding="utf-8")).items()}


def _key(name: str) -> str:
    return name.lower().replace("_", "-").replace(".", "-")


def _python() -> Component:
    version = platform.python_version()
    purl = f"pkg:generic/python@{version}"
    return {"type": "platform", "name": "python", "version": version, "purl": purl, "bom-ref": purl}


def _package(kind: str, name: str, version: str, license_text: str) -> Component:
    key = name.lower().replace("_", "-") if kind == "pypi" else name
    purl = f"pkg:{kind}/{key}@{version.replace('+', '%2B').replace(':', '%3A')}"
    component: Component = {"type": "library", "name": name, "version": version, "purl": purl, "bom-ref": purl}
    # Some packages put the whole text of their licence there.
    if license_text and len(license_text) < 100 and "\n" not in license_text:
        component["licenses"] = [{"license": {"name": license_text}}]
    return component


def _model(sources: Path) -> Component:
    checksum = json.loads((sources / "checksums.json").read_text(encoding="utf-8"))["artifacts/model.onnx"]
    hashes = [{"alg": "SHA-256", "content": checksum}]
    return {"type": "machine-learning-model", "name": "model.onnx", "hashes": hashes, "bom-ref": "model.onnx"}


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2])
