"""A service whose files are not those that were packed does not start, and says which file it is."""

import hashlib
import json
from pathlib import Path

import pytest

from rest_service.checksums import CHECKSUMS_NAME, ChangedFileError, check_files
from sinara_lib.bento import checksums as written


@pytest.fixture
def packed(tmp_path: Path) -> Path:
    """A bento's `src` with its checksums."""
    (tmp_path / "bento.yaml").write_text("name: rest_service\n")
    sources = tmp_path / "src"
    (sources / "artifacts").mkdir(parents=True)
    files = {"service.py": b"import detector\n", "artifacts/model.onnx": b"weights"}
    for name, data in files.items():
        (sources / name).write_bytes(data)
    sums = {name: hashlib.sha256(data).hexdigest() for name, data in files.items()}
    (sources / CHECKSUMS_NAME).write_text(json.dumps(sums))
    return sources


def test_the_builder_and_the_service_mean_the_same_file() -> None:
    assert CHECKSUMS_NAME == written.CHECKSUMS_NAME


def test_unchanged_files_pass_and_caches_do_not_count(packed: Path) -> None:
    (packed / "__pycache__").mkdir()
    (packed / "__pycache__" / "service.cpython-311.pyc").write_bytes(b"cache")
    assert check_files(packed) is None


def test_a_changed_file_is_named(packed: Path) -> None:
    (packed / "artifacts" / "model.onnx").write_bytes(b"other")
    with pytest.raises(ChangedFileError, match=r"artifacts/model\.onnx was changed after packing: its sha256 is "):
        check_files(packed)


def test_a_missing_file_is_named(packed: Path) -> None:
    (packed / "artifacts" / "model.onnx").unlink()
    with pytest.raises(ChangedFileError, match=r"artifacts/model\.onnx was packed and is missing"):
        check_files(packed)


def test_an_added_module_is_named(packed: Path) -> None:
    (packed / "numpy.py").write_text("")
    with pytest.raises(ChangedFileError, match=r"numpy\.py was added after packing"):
        check_files(packed)


def test_a_bento_without_checksums_is_refused_and_a_plain_folder_is_not(packed: Path) -> None:
    (packed / CHECKSUMS_NAME).unlink()
    with pytest.raises(ChangedFileError, match=r"checksums\.json is missing from this bento"):
        check_files(packed)
    (packed.parent / "bento.yaml").unlink()
    assert check_files(packed) is None
