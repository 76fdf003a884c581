"""A BentoML service as a versioned entity: save, load in process, serve.

Front door: the names below. Building a bento is `build`, its server `server`, which one is released `release`.
What a service answers belongs to the step that packs it; the image around it to `sinara_lib.container`.
"""

from sinara_lib.bento.service import (
    DevService,
    extract_artifacts_from_bentoservice,
    load_bentoservice,
    save_bentoservice,
    start_dev_bentoservice,
    stop_dev_bentoservice,
)

__all__ = [
    "DevService",
    "extract_artifacts_from_bentoservice",
    "load_bentoservice",
    "save_bentoservice",
    "start_dev_bentoservice",
    "stop_dev_bentoservice",
]
