"""What all tests share: a store of their own, and the real data where it is there."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests import containers

if TYPE_CHECKING:
    from faulty_server import FaultyServer

# Both read this when they are imported: no usage data from tests, and no folder in the user's home.
os.environ.update(ORT_DISABLE_TELEMETRY="1", BENTOML_DO_NOT_TRACK="True")
_BENTOML_HOME = tempfile.TemporaryDirectory(prefix="bentoml-")
os.environ["BENTOML_HOME"] = _BENTOML_HOME.name

REAL_DATA = Path(__file__).parents[2] / "shared" / "data"
"""Real COCO images and weights beside the checkout; a user's clone has none."""
CHROMIUM = shutil.which("chromium") if importlib.util.find_spec("playwright") else None
"""The browser, from the system's packages, and what drives it; a machine may have neither."""
NO_CONTAINERS = containers.why_not()
"""What keeps this machine from building and running images; None when nothing does."""


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """Leave out tests on real data, in a browser and in containers, where those are absent."""
    absent = {
        "_real.py": not REAL_DATA.is_dir(),
        "_browser.py": CHROMIUM is None,
        "_container.py": NO_CONTAINERS is not None,
    }
    return True if any(collection_path.name.endswith(end) for end, gone in absent.items() if gone) else None


def pytest_report_header() -> list[str]:
    """Say in a line each whether tests on real data, in a browser and in containers run."""
    return [
        f"real data: {REAL_DATA}" if REAL_DATA.is_dir() else f"real data: none at {REAL_DATA}, *_real.py left out",
        f"browser: {CHROMIUM or 'no chromium with playwright, *_browser.py left out'}",
        f"containers: {NO_CONTAINERS}, *_container.py left out" if NO_CONTAINERS else "containers: podman and buildah",
    ]


@pytest.fixture(scope="session")
def real_data() -> Path:
    """The folder with coco-mini and the YOLOX-Nano weights."""
    return REAL_DATA


@pytest.fixture(scope="session", autouse=True)
def _store_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Keep every test out of the user's data and cache folders, also where it forgets to say where to write."""
    root = tmp_path_factory.mktemp("store")
    for env in ("user", "test", "prod"):
        os.environ[f"SINARA_{env.upper()}_ROOT"] = str(root / env)
    os.environ["SINARA_CACHE"] = str(root / "cache")


@pytest.fixture
def server(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Iterator[FaultyServer]:
    """A faulty local server, to download from into a cache of this test."""
    from faulty_server import running

    monkeypatch.setenv("SINARA_CACHE", str(tmp_path_factory.mktemp("cache")))
    with running() as faulty:
        yield faulty
