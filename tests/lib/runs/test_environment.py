"""What a run had installed is recorded as it is, and a damaged list is told."""

from importlib.metadata import version

import pytest

from sinara_lib.errors import ArtifactCorruptError
from sinara_lib.runs.environment import environment_json, read_environment, this_environment


def test_the_versions_are_those_that_python_itself_tells() -> None:
    packages = this_environment().packages
    for name in ("numpy", "pydantic", "pyarrow", "nbformat"):
        assert packages[name] == version(name)
    assert list(packages) == sorted(packages)


def test_what_is_written_is_read_back() -> None:
    environment = this_environment()
    assert read_environment(environment_json(environment).encode(), "here") == environment


@pytest.mark.parametrize("data", [b"", b"[]", b"{}", b'{"python": "3", "platform": "x", "packages": []}'])
def test_a_damaged_list_is_told_with_its_place(data: bytes) -> None:
    with pytest.raises(ArtifactCorruptError, match=r"^here/environment\.json is not a list of packages"):
        read_environment(data, "here/environment.json")
