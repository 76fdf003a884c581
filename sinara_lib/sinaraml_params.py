"""SinaraML's params files of obj_detect_rest, as the steps of this repository take them. Pure, but for warnings."""

import logging
from collections.abc import Collection, Mapping
from typing import Any

from sinara_lib.params_sections import ParamsFile, SubstepParams

NOTEBOOK_OF = {
    "prepare_files_for_train_detector.ipynb": "model_train.ipynb",
    "train.ipynb": "model_train.ipynb",
    "run_obj_detector.ipynb": "predict.ipynb",
    "eval_obj_detector.ipynb": "score.ipynb",
}
"""Which notebook here does the work of one of SinaraML's."""

NAME_OF: Mapping[str, str | None] = {
    "coco_datasets_images_url": "images_url",
    "coco_datasets_annotations_url": "annotations_url",
    "yolox_pth_pretrain_weights": "weights_url",
    "max_size": "input_size",
    "batch": "batch_size",
    "epoch_count": "epochs",
    "optimizer_lr": "learning_rate",
    "mmcv_normalize": None,
    "device": None,
    "min_score": None,
}
"""What a parameter is called here; None where it has no meaning."""

SECTIONS = {"train_params": "model_train.ipynb", "export_params": "model_pack.ipynb"}
"""Objects in step_params whose parameters are those of a notebook here."""

_MEMBER = {"annotations_member": "annotations/instances_val2017.json"}
"""Which file of the annotations SinaraML's data_prep goes on with."""

log = logging.getLogger(__name__)


def translated(params: ParamsFile, notebooks: Collection[str]) -> ParamsFile:
    """Return SinaraML's parameters as a step with these notebooks takes them, with a warning for what means nothing.

    Other parameters come back as they are.
    """
    own = params.step_params.__pydantic_extra__ or {}
    sections = {name: own[name] for name, notebook in SECTIONS.items() if name in own and notebook in notebooks}
    if not (sections or any(_is_theirs(one, notebooks) for one in params.substeps_params)):
        return params
    found: dict[str, dict[str, Any]] = {}
    for substep in params.substeps_params:
        name = NOTEBOOK_OF.get(substep.substep_name, substep.substep_name)
        found.setdefault(name if name in notebooks else substep.substep_name, {}).update(_named(substep.substep_params))
    for name, section in sections.items():
        found.setdefault(SECTIONS[name], {}).update(_named(section if isinstance(section, Mapping) else {}))
    step = params.step_params.model_dump(exclude_unset=True, exclude=set(sections))
    document = {
        "pipeline_params": params.pipeline_params.model_dump(exclude_unset=True),
        "step_params": step,
        "substeps_params": [{"substep_name": n, "substep_params": values} for n, values in found.items()],
    }
    return ParamsFile.model_validate(document)


def _is_theirs(substep: SubstepParams, notebooks: Collection[str]) -> bool:
    renamed = {name for name, ours in NAME_OF.items() if ours and name != ours}
    notebook = NOTEBOOK_OF.get(substep.substep_name)
    return notebook in notebooks or (
        substep.substep_name in notebooks and bool(renamed & {*map(str.lower, substep.substep_params)})
    )


def _named(values: Mapping[str, Any]) -> dict[str, Any]:
    named: dict[str, Any] = {}
    for key, value in values.items():
        name = NAME_OF.get(key.lower(), key.lower())
        if name is None:
            log.warning("%s of SinaraML has no meaning here and is left out", key)
            continue
        named[name] = [value, value] if name == "input_size" and isinstance(value, int) else value
    return named | (_MEMBER if "coco_datasets_annotations_url" in map(str.lower, values) else {})
