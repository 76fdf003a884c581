"""What all tests share: a store of their own, and the real data where it is there."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
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


QUICK = "not slow"
"""What `make quick` gives as `-m`."""
SLOW_PLACES = re.compile(r"tests/(pipeline|interop)/|_(real|browser|container)\.py$")
SLOW_IMPORTS = re.compile(
    r"^ *(?:from|import) (?:torch|mmengine|mmdet|mmcv|onnx|bentoml|starlette|detector_\w+|export_checks|service_cases"
    r"|pretrained_weights|training_report|drawn_splits|small_network)\b|\bsys\.executable\b",
    re.MULTILINE,
)
"""In a test module: it trains, exports, serves, or starts another Python."""
SLOW_FIXTURES = frozenset(
    {
        *("make_step", "clone", "workspace", "saved", "new_url"),  # kernels, worktrees of whole checkouts, bentos
        *("s3_server", "server_process", "browser", "bento_url", "service_folder", "onnx_file", "detector", "card"),
    }
)


def pytest_configure(config: pytest.Config) -> None:
    """Declare the one mark; it is given below, never by hand."""
    config.addinivalue_line("markers", "slow: needs a kernel, a server, a training, or another process; not in quick")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out tests on real data, in a browser and in containers, where those are absent; from quick what is slow."""
    absent = {
        "_real.py": not REAL_DATA.is_dir(),
        "_browser.py": CHROMIUM is None,
        "_container.py": NO_CONTAINERS is not None,
    }
    if any(collection_path.name.endswith(end) for end, gone in absent.items() if gone):
        return True
    # Not even imported: torch and mmdet alone take longer than most of what is quick.
    return (
        True
        if config.option.markexpr == QUICK and collection_path.suffix == ".py" and _is_slow(collection_path)
        else None
    )


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is slow, by where it stands, what its module imports, and what it asks for; without one, no browser."""
    if CHROMIUM is None:
        items[:] = [item for item in items if "browser" not in getattr(item, "fixturenames", ())]
    for item in items:
        asked = set(getattr(item, "fixturenames", ()))
        params = getattr(getattr(item, "callspec", None), "params", {})
        if asked & SLOW_FIXTURES or params.get("root") == "s3" or _is_slow(item.path):
            item.add_marker("slow")


@functools.cache
def _is_slow(module: Path) -> bool:
    return bool(SLOW_PLACES.search(module.as_posix()) or SLOW_IMPORTS.search(module.read_text(encoding="utf-8")))


def pytest_report_header() -> list[str]:
    """Say in a line each whether tests on real data, in a browser and in containers run."""
    return [
        f"real data: {REAL_DATA}" if REAL_DATA.is_dir() else f"real data: none at {REAL_DATA}, *_real.py left out",
        f"browser: {CHROMIUM or 'no chromium with playwright, *_browser.py and what asks for it left out'}",
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
