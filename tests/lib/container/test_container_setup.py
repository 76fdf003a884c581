"""What runs inside an image that is being built: it refuses a base that does not fit, compiles, lists the packages."""

import json
import sys
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from sinara_lib.container import setup as container_setup
from sinara_lib.container.setup import debian_packages, describe, main, python_packages

STATUS = """Package: libc6
Status: install ok installed
Version: 2.36-9+deb12u14
Description: GNU C Library
 Package: not-a-field

Package: removed
Status: deinstall ok config-files
Version: 1.0

Package: tzdata
Status: install ok installed
Version: 1:2026a-0
"""
RUNNING = f"{sys.version_info.major}.{sys.version_info.minor}"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A Debian of two installed packages and one that was removed."""
    (tmp_path / "var/lib/dpkg").mkdir(parents=True)
    (tmp_path / "var/lib/dpkg/status").write_text(STATUS)
    return tmp_path


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A service and one package, as they lie in the image."""
    sources = tmp_path / "service" / "bento" / "src"
    (sources / "artifacts").mkdir(parents=True)
    (sources / "artifacts" / "model.onnx").write_bytes(b"weights")
    (sources / "checksums.json").write_text(json.dumps({"artifacts/model.onnx": "ab" * 32}))
    (sources / "service.py").write_text("import leaf\n")
    package = tmp_path / "service" / "packages"
    (package / "leaf-1.0.dist-info").mkdir(parents=True)
    (package / "leaf.py").write_text("ANSWER = {'b', 'a', 'c'}\n")
    (package / "wheels.json").write_text(json.dumps({"leaf": "cd" * 32}))
    metadata = "Metadata-Version: 2.1\nName: Leaf\nVersion: 1.0\nLicense: MIT\n"
    (package / "leaf-1.0.dist-info" / "METADATA").write_text(metadata)
    return tmp_path / "service"


@pytest.fixture(autouse=True)
def _own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "315532800")
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "dont_write_bytecode", sys.dont_write_bytecode)
    for name in ("service", "leaf"):
        monkeypatch.delitem(sys.modules, name, raising=False)


def test_debian_packages_are_those_installed(root: Path) -> None:
    assert list(debian_packages(root)) == [("libc6", "2.36-9+deb12u14"), ("tzdata", "1:2026a-0")]


def test_a_distroless_base_lists_its_packages_too(tmp_path: Path) -> None:
    folder = tmp_path / "var/lib/dpkg/status.d"
    folder.mkdir(parents=True)
    (folder / "libc6").write_text("Package: libc6\nVersion: 2.36\n")
    assert list(debian_packages(tmp_path)) == [("libc6", "2.36")]


def test_the_list_of_packages_is_valid_cyclonedx_and_names_everything(folder: Path, root: Path) -> None:
    document = describe(folder, packages=python_packages([str(folder / "packages")]), root=root)
    assert JsonStrictValidator(SchemaVersion.V1_5).validate_str(json.dumps(document)) is None
    by_name = {one["name"]: one for one in document["components"]}
    assert by_name.keys() == {"python", "Leaf", "libc6", "tzdata", "model.onnx"}
    assert by_name["Leaf"]["purl"] == "pkg:pypi/leaf@1.0"
    assert by_name["Leaf"]["licenses"] == [{"license": {"name": "MIT"}}]
    assert by_name["Leaf"]["hashes"] == [{"alg": "SHA-256", "content": "cd" * 32}]
    assert by_name["tzdata"]["purl"] == "pkg:deb/debian/tzdata@1%3A2026a-0"
    assert by_name["model.onnx"]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]


def test_the_service_is_compiled_described_and_dated_the_same_each_time(folder: Path) -> None:
    main(folder, RUNNING)
    compiled = sorted((folder / "packages" / "__pycache__").glob("leaf.*.pyc"))
    assert len(compiled) == 1
    assert compiled[0].read_bytes()[4:8] == b"\x01\x00\x00\x00", "unchecked hash: read without a look at the source"
    names = {one["name"] for one in json.loads((folder / "sbom.json").read_text())["components"]}
    assert {"Leaf", "python"} <= names
    assert {path.stat().st_mtime for path in [folder, *folder.rglob("*")]} == {315532800}


def test_another_python_than_the_one_that_packed_is_refused(folder: Path) -> None:
    with pytest.raises(SystemExit, match=f"base image has Python {RUNNING}, and the bento was packed with Python 2.7"):
        main(folder, "2.7")


def test_a_service_that_cannot_be_imported_on_this_base_ends_the_build(folder: Path) -> None:
    (folder / "bento" / "src" / "service.py").write_text("import library_that_the_base_lacks\n")
    with pytest.raises(ModuleNotFoundError, match="library_that_the_base_lacks"):
        main(folder, RUNNING)
    assert not (folder / "sbom.json").exists()


def test_it_needs_nothing_but_the_standard_library() -> None:
    lines = Path(container_setup.__file__).read_text().splitlines()
    imported = {line.split()[1].split(".")[0] for line in lines if line.startswith(("import ", "from "))}
    assert imported <= sys.stdlib_module_names
