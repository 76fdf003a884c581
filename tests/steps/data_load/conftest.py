"""A faulty local server for the tests of downloads."""

from collections.abc import Iterator

import pytest
from faulty_server import FaultyServer, running


@pytest.fixture
def server() -> Iterator[FaultyServer]:
    with running() as faulty:
        yield faulty
