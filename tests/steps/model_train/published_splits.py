"""A store that holds what model_train reads, and a run of the step on it."""

import json
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from drawn_splits import draw_split
from sinara_lib.archive import pack
from sinara_lib.layout import StepAddress
from sinara_lib.runs.checkout import read_producer
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.manifest import RunRecord, RunStatus

STEP = Path(__file__).parents[3] / "model_train"
ADDRESS = StepAddress("obj_detect_rest", "test", "model_train")


def publish_upstream(folder: Path, root: Path) -> str:
    """Publish a run of data_prep and one of data_load without weights at `root`; return the id of data_prep's."""
    draw_split(folder / "train", "train", images=6, seed=1)
    draw_split(folder / "eval", "eval", images=3, seed=2)
    (folder / "weights").mkdir()
    (folder / "weights" / "weights.json").write_text('{"url": null, "file_name": null, "sha256": null, "bytes": 0}')
    store = store_at(f"file://{root}")
    _publish(store, "data_load", yolox_pth_pretrain_weights=folder / "weights")
    return _publish(store, "data_prep", coco_train_dataset=folder / "train", coco_eval_dataset=folder / "eval")


def write_params(path: Path, **substep_params: Any) -> Path:
    """Write a params file of the step: the sample's with other parameters of the notebook."""
    document = json.loads((STEP / "params" / "sample.json").read_text(encoding="utf-8"))
    document["substeps_params"][0]["substep_params"] |= substep_params
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


def _publish(store: ArtifactStore, step: str, **folders: Path) -> str:
    now = datetime(2026, 11, 21, tzinfo=timezone.utc)
    record = RunRecord(run_id="", status=RunStatus.RUNNING, started=now, producer=read_producer(STEP))
    run = store.start_run(StepAddress(ADDRESS.pipeline, ADDRESS.zone, step), record, now=now)
    for entity, folder in folders.items():
        pack(folder, f"{store.url_of(run)}/{entity}")
    started = store.run_record(run)
    assert started is not None
    store.replace_record(run, started.model_copy(update={"status": RunStatus.SUCCESS}))
    return run.run_id
