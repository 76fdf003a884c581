"""SinaraML's `sinara.spark`: a session where Spark is installed; else an object that says what to use instead."""

import importlib.util
import logging
import os
import shutil
from typing import Any, ClassVar

from sinara_lib.compat.dropped import Gone

INSTEAD = (
    "pandas.read_parquet and DataFrame.to_parquet, which take the same paths, and SinaraArchive, which needs no Spark; "
    "or install Spark: pip install 'pyspark>=4', with Java 17 or newer on the PATH or in JAVA_HOME"
)

log = logging.getLogger("sinara_lib.compat")  # imported as `sinara`, the module has another name


class SinaraSpark:
    """Starts and ends the session of this process. The library needs none; a notebook's own frames may."""

    _session: ClassVar[Any] = None

    @staticmethod
    def run_session(
        clusterSize: int = 0,
        app: str = "SinaraML Spark App",
        conf: Any = None,
        reuse_session: bool = True,
        debug: bool = False,
    ) -> Any:
        """Return a local session; without Spark or Java an object whose every use raises DroppedError."""
        if importlib.util.find_spec("pyspark") is None or not (os.environ.get("JAVA_HOME") or shutil.which("java")):
            log.warning("Spark is not installed here; the first use of the session will say what to use instead")
            return Gone("The Spark session", INSTEAD)
        from pyspark.sql import SparkSession

        builder = SparkSession.builder.appName(app).master("local[*]").config("spark.ui.showConsoleProgress", "false")
        builder = builder.config("spark.sql.execution.arrow.pyspark.enabled", "true")
        SinaraSpark._session = (builder.config(conf=conf) if conf is not None else builder).getOrCreate()
        if debug:
            SinaraSpark._session.sparkContext.setLogLevel("DEBUG")
        return SinaraSpark._session

    @staticmethod
    def session_is_stopped() -> bool:
        """Tell whether no session runs."""
        return SinaraSpark._session is None

    @staticmethod
    def ui_url() -> str | None:
        """Return the address of Spark's own page; None without a session."""
        return None if SinaraSpark._session is None else SinaraSpark._session.sparkContext.uiWebUrl

    @staticmethod
    def stop_session() -> None:
        """End the session, if one runs."""
        if SinaraSpark._session is not None:
            SinaraSpark._session.stop()
            SinaraSpark._session = None
