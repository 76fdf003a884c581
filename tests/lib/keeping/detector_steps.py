"""Five steps as small as can be that depend on each other as those of the detector do."""

from pathlib import Path
from typing import Any

from quick_steps import Pipeline

PARAMS: dict[str, dict[str, Any]] = {
    "data_load": {"images": "", "weights": ""},
    "data_prep": {"classes": ["car", "bus"], "seed": 1},
    "model_train": {"epochs": 9},
    "model_pack": {},
    "model_eval": {},
}

LOAD = """import shutil
from datetime import datetime, timezone
from sinara_lib.downloads.folders import local_sha256
from sinara_lib.store import publish_folder
for name in ("images", "weights"):
    source = Path(substep_params[name])
    work = Path(substep.tmp_entities().work) / name
    shutil.copytree(source, work)
    facts = {"sha256": local_sha256(source), "size": 1, "fetched": datetime.now(timezone.utc)}
    substep.add_source(substep_params[name], **facts)
    publish_folder(work, getattr(substep.outputs(), name))
"""
PREP = """from sinara_lib.store import open_entity
from make import part
entity = open_entity(substep.inputs("data_load").images)
images = {file.path: entity.read(file.path).decode() for file in entity.manifest.files}
for name in ("train", "eval", "test"):
    publish(name, part(name, images, **substep_params))
"""
PREP_MAKE = """import random
def part(name, images, *, classes, seed):
    # of each image its bytes, in the order of a seed; which part it belongs to is said by its first letter
    texts = sorted(text for text in images.values() if text.startswith(name[1]))
    random.Random(seed).shuffle(texts)
    return f"{classes} {texts}"
"""
TRAIN = """from train_params import TrainParams
params = TrainParams.model_validate(substep_params)
publish("model", [read("data_prep", "train"), params.epochs, params.rate])
substep.add_metric("loss", 1 / params.epochs)
"""
TRAIN_PARAMS = """from sinara_lib.params import ParamsModel
class TrainParams(ParamsModel):
    epochs: int = 1
    rate: float = 0.1
NOTEBOOKS = {"model_train.ipynb": TrainParams}
"""
PACK = 'publish("bento", read("model_train", "model"))'
EVAL = """publish("report", [Path("page.txt").read_text(), read("data_prep", "test"), read("model_pack", "bento")])"""


def _of(step: str, *names: str, used_by: str = "") -> str:
    pin = f', USED_BY: "{used_by}"' if used_by else ""
    return "".join(f'{{STEP_NAME: "{step}", ENTITY_NAME: "{name}"{pin}}}, ' for name in names)


def _interface(reads: str, *outputs: str) -> str:
    return f"inputs=[{reads}], outputs=[{''.join(f'{{ENTITY_NAME: {name!r}}}, ' for name in outputs)}], "


def write_detector(pipeline: Pipeline, source: Path) -> None:
    """Write the five steps, and below `source` nine images and the weights to start from."""
    for name in [f"{letter}{number}" for letter in "rve" for number in range(3)]:
        (source / "images").mkdir(parents=True, exist_ok=True)
        (source / "images" / f"{name}.jpg").write_text(f"{name} pixels")
    (source / "weights").mkdir()
    (source / "weights" / "start.pth").write_text("weights")
    load = "custom_inputs=[{ENTITY_NAME: n, ENTITY_PATH: substep_params[n]} for n in ('images', 'weights')], "
    load += "outputs=[{ENTITY_NAME: 'images'}, {ENTITY_NAME: 'weights'}], "
    used = _of("data_prep", "train", "eval") + _of("data_load", "weights")
    pipeline.write_step("data_load", [LOAD], interface=load)
    pipeline.write_step("data_prep", [PREP], interface=_interface(_of("data_load", "images"), "train", "eval", "test"))
    pipeline.write_step("model_train", [TRAIN], interface=_interface(used, "model"))
    packed = _of("model_train", "model") + _of("data_prep", "eval", used_by="model_train")
    pipeline.write_step("model_pack", [PACK], interface=_interface(packed, "bento"))
    scored = _of("data_prep", "test", used_by="model_pack") + _of("model_pack", "bento")
    pipeline.write_step("model_eval", [EVAL], interface=_interface(scored, "report"))
    for name, params in PARAMS.items():
        pipeline.write_params(name, params)
    pipeline.write_params("data_load", {name: str(source / name) for name in ("images", "weights")})
    (pipeline.folder / "data_prep" / "make.py").write_text(PREP_MAKE)
    (pipeline.folder / "model_train" / "train_params.py").write_text(TRAIN_PARAMS)
    (pipeline.folder / "model_train" / "requirements.txt").write_text("# what it needs\ntinytorch>=1\n")
    (pipeline.folder / "model_eval" / "page.txt").write_text("a template")
    (pipeline.folder / "model_pack" / "notes.md").write_text("nobody reads this")
    (pipeline.folder / ".gitignore").write_text("*.tmp\n__pycache__/\n")
    pipeline.write_settings(*PARAMS)
