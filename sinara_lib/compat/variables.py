"""SinaraML's environment variables: which of them count here, and a warning for those that do not."""

import logging
from collections.abc import Mapping

PIPELINE_RUN_ID = "DSML_CURR_RUN_ID_FROM_PLINE"
"""The run id that an orchestrator gives; it counts like SINARA_RUN_ID."""

IGNORED = {
    "DSML_CURR_RUN_ID": "the store makes run ids; SINARA_RUN_ID gives one",
    "INFRA_NAME": "where environments live stands in sinara.toml",
    "SINARA_SERVER_CORES": "a session of Spark takes what SparkConf says",
    "SINARA_SERVER_MEMORY_LIMIT": "a session of Spark takes what SparkConf says",
}
"""Variables that mean nothing here, and what does instead."""

_told: set[str] = set()

log = logging.getLogger("sinara_lib.compat")  # imported as `sinara`, the module has another name


def warn_of_variables(environ: Mapping[str, str]) -> None:
    """Warn once of each variable of SinaraML that is set and does not count."""
    for name in IGNORED.keys() & environ.keys() - _told:
        _told.add(name)
        log.warning("%s is set, and means nothing to this library: %s", name, IGNORED[name])
