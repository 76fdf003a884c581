"""What drivers raise, told alike: whichever cloud answered, and whatever its errors carry."""

import fsspec
import pytest

from sinara_lib.errors import StoreUnavailableError
from sinara_lib.store.failures import answer_code, plain_errors


class AzureError(Exception):
    """Looks like azure-core's: a code beside an answer that is no mapping."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.error_code = code
        self.response = object()


def _missing(cause: Exception) -> FileNotFoundError:
    error = FileNotFoundError("bucket/file")
    error.__cause__ = cause
    return error


def test_a_file_that_azure_does_not_have_is_only_missing() -> None:
    with pytest.raises(FileNotFoundError), plain_errors(fsspec.filesystem("memory"), "bucket/file"):
        raise _missing(AzureError("BlobNotFound"))


def test_a_container_that_azure_does_not_have_is_told_as_one_to_be_made() -> None:
    error = _missing(AzureError("ContainerNotFound"))
    with (
        pytest.raises(StoreUnavailableError, match=r"the bucket does not exist\. Make it"),
        plain_errors(fsspec.filesystem("memory"), "bucket/file"),
    ):
        raise error


def test_an_error_without_an_answer_has_no_code() -> None:
    assert answer_code(FileNotFoundError("x")) is None
    assert answer_code(_missing(ValueError("y"))) is None
