"""What a filesystem's failure means to the person who runs a step: where, what, and what to do."""

import errno
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from fsspec import AbstractFileSystem
from fsspec.implementations.local import LocalFileSystem

from sinara_lib.errors import SinaraError, StoreUnavailableError

_ELSEWHERE = "put the environment elsewhere (SINARA_<ENV>_ROOT, or [env.<name>] root in sinara.toml)"
_KEYS = "[env.<name>.storage] key_env and secret_env, or the variables of the cloud's own tools, such as AWS_*"

_AZURE_CODES = {"ContainerNotFound": "NoSuchBucket"}
"""What Azure answers, in S3's words."""


@contextmanager
def plain_errors(fs: AbstractFileSystem, path: str) -> Iterator[None]:
    """Turn what a driver raises inside the block into StoreUnavailableError that says where, what, and what to do.

    A file that is not there, or there already, is an answer and no failure: those errors pass, unless it is the bucket
    that is not there.
    """
    try:
        yield
    except SinaraError:
        raise
    except (FileNotFoundError, FileExistsError) as error:
        if answer_code(error) == "NoSuchBucket":
            raise StoreUnavailableError(
                f"{fs.unstrip_protocol(path)}: the bucket does not exist. Make it, or correct the environment's root."
            ) from error
        raise
    except Exception as error:  # drivers raise what their libraries raise: botocore's, aiohttp's, gRPC's own classes
        raise StoreUnavailableError(f"{fs.unstrip_protocol(path)}: {_reason(fs, error)}") from error


def vanished(fs: AbstractFileSystem, path: str) -> StoreUnavailableError:
    """Return the error for a folder that was there and is not any more."""
    return StoreUnavailableError(
        f"{fs.unstrip_protocol(path)} vanished while it was in use. Bring that disk or folder back, run the step again."
    )


def answer_code(error: BaseException) -> str | None:
    """Return S3's name of what a server answered behind an error, or None where it has none to tell."""
    answer = getattr(error.__cause__, "response", None)
    if isinstance(answer, Mapping):  # botocore's; Azure's errors have one of another kind
        code = answer.get("Error", {}).get("Code")
        return str(code) if code else None
    return _AZURE_CODES.get(getattr(error.__cause__, "error_code", None) or "")


def _reason(fs: AbstractFileSystem, error: Exception) -> str:
    number = error.errno if isinstance(error, OSError) else None
    if number in {errno.ENOSPC, errno.EDQUOT}:
        return f"No space left on device. Free space there, or {_ELSEWHERE}."
    if isinstance(fs, LocalFileSystem):
        if number in {errno.EROFS, errno.EACCES, errno.EPERM}:
            return f"{error.strerror}. Let this user write there, or {_ELSEWHERE}."  # type: ignore[attr-defined]
        if isinstance(error, NotADirectoryError):
            return f"a file stands where a folder should be. Move it away, or {_ELSEWHERE}."
        return f"{error}. Check that disk, or {_ELSEWHERE}."
    if isinstance(error, PermissionError):
        return f"access is refused ({error}). Check the credentials: {_KEYS}."
    return f"{type(error).__name__}: {error}. Check that the server answers, its endpoint_url, and {_KEYS}."
