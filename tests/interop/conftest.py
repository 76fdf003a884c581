"""Spark on loopback, for the tests of who reads whose files."""

import os
import sys
import tempfile
from collections.abc import Callable, Iterator
from datetime import datetime, timezone
from pathlib import Path

import pytest
from pyspark.sql import SparkSession

from sinara_lib.layout import StepAddress
from sinara_lib.store import store_at
from sinara_lib.store.manifest import Producer, RunRecord, RunStatus
from tests.java_home import make_java_home

# Hugging Face's library reads these when it is imported: nothing in the user's home, nothing from outside.
_HUGGING_FACE_HOME = tempfile.TemporaryDirectory(prefix="hugging-face-")
os.environ.update(HF_HOME=_HUGGING_FACE_HOME.name, HF_HUB_OFFLINE="1")


@pytest.fixture(scope="session")
def spark(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SparkSession]:
    """A local Spark with two threads."""
    folder = tmp_path_factory.mktemp("spark")
    environ = {
        "JAVA_HOME": str(make_java_home(folder / "java")),
        "SPARK_LOCAL_IP": "127.0.0.1",
        "SPARK_LOCAL_DIRS": str(folder),
        "PYSPARK_PYTHON": sys.executable,
    }
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environ.items():
            patch.setenv(name, value)
        for name in ("SPARK_HOME", "SPARK_CONF_DIR"):
            patch.delenv(name, raising=False)
        builder = SparkSession.builder.master("local[2]").config("spark.ui.enabled", "false")
        for name in ("bindAddress", "host"):
            builder = builder.config(f"spark.driver.{name}", "127.0.0.1")
        session = builder.config("spark.driver.memory", "1g").getOrCreate()
        yield session
        session.stop()


@pytest.fixture
def new_entity(tmp_path: Path) -> Callable[[], tuple[str, Path]]:
    """Give URL and folder of an entity that is still to be written."""
    store = store_at(str(tmp_path / "store"))

    def make() -> tuple[str, Path]:
        now = datetime.now(timezone.utc)
        record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=Producer(library="test"))
        entity = store.start_run(StepAddress("rest", "test", "data_load"), record, now=now).entity("files")
        return store.url_of(entity), Path(store.root, entity.path)

    return make
