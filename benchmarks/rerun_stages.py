"""The five steps of the detector with all their code, but with notebooks that publish a line of text each."""

import json
import shutil
import subprocess
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
STEPS = {
    "data_load": {},
    "data_prep": {"data_load": ["coco_datasets_images", "coco_datasets_annotations"]},
    "model_train": {
        "data_prep": ["coco_train_dataset", "coco_eval_dataset"],
        "data_load": ["yolox_pth_pretrain_weights"],
    },
    "model_pack": {"model_train": ["obj_detect_inference_files"], "data_prep": ["coco_eval_dataset"]},
    "model_eval": {"model_pack": ["bento_service"], "data_prep": ["coco_test_dataset"]},
}
"""What each step reads, as the detector's steps do."""
MADE = {
    "data_load": ["coco_datasets_images", "coco_datasets_annotations", "yolox_pth_pretrain_weights"],
    "data_prep": ["coco_train_dataset", "coco_eval_dataset", "coco_test_dataset", "dataset_summary"],
    "model_train": ["obj_detect_inference_files"],
    "model_pack": ["bento_service"],
    "model_eval": ["coco_inference_result_dataset", "model_quality_report"],
}
NOTEBOOK = {name: f"{name}.ipynb" for name in STEPS} | {"model_eval": "predict.ipynb"}
WORK = """from pathlib import Path
from sinara_lib.store import publish_folder
for name in substep.outputs():
    work = Path(substep.tmp_entities().work) / name
    work.mkdir()
    (work / "it.txt").write_text(name)
    publish_folder(work, getattr(substep.outputs(), name))
"""


def lay_pipeline(folder: Path) -> None:
    """Copy the steps, give them their small notebooks, and commit it all."""
    for step in STEPS:
        ignored = shutil.ignore_patterns("__pycache__", "*.ipynb", "tmp", ".ipynb_checkpoints")
        shutil.copytree(ROOT / step, folder / step, ignore=ignored)
        _write_notebook(folder / step / NOTEBOOK[step], _interface(step))
        _leave_one_notebook(folder / step, NOTEBOOK[step])
    (folder / "sinara.toml").write_text(f"[pipeline]\nsteps = {list(STEPS)}\n")
    (folder / ".gitignore").write_text("__pycache__/\n/out/\n/store/\n")
    git(folder, "init", "-q", "-b", "main")
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "pipeline")


def lay_dvc_stages(folder: Path) -> None:
    """Write the same five stages for DVC: what they are made by are dependencies, a folder is the output of each."""
    stages = []
    for step, reads in STEPS.items():
        deps = [step, "library", *(f"out/{other}" for other in reads)]
        stages += [f"  {step}:", f"    cmd: mkdir -p out/{step} && echo {step} > out/{step}/it.txt", "    deps:"]
        stages += [f"    - {one}" for one in deps]
        stages += ["    outs:", f"    - out/{step}"]
    shutil.copytree(ROOT / "sinara_lib", folder / "library", ignore=shutil.ignore_patterns("__pycache__"))
    (folder / "dvc.yaml").write_text("\n".join(["stages:", *stages]) + "\n")


def git(folder: Path, *args: str) -> None:
    """Run git as some user."""
    who = ["-c", "user.name=B", "-c", "user.email=b@example.com"]
    subprocess.run(["git", *who, *args], cwd=folder, check=True, capture_output=True)


def _interface(step: str) -> str:
    inputs = [{"step_name": other, "entity_name": name} for other, names in STEPS[step].items() for name in names]
    outputs = [{"entity_name": name} for name in MADE[step]]
    return (
        "from sinara_lib.substep import NotebookSubstep\n"
        "substep = NotebookSubstep(pipeline_params, step_params, substep_params)\n"
        f'substep.interface(inputs={inputs}, outputs={outputs}, tmp_entities=[{{"entity_name": "work"}}])'
    )


def _write_notebook(path: Path, interface: str) -> None:
    notebook = nbformat.v4.new_notebook(metadata={"kernelspec": {"name": "python3", "display_name": "Python 3"}})
    parameters = "pipeline_params = {}\nstep_params = {}\nsubstep_params = {}"
    for number, (tag, code) in enumerate((("parameters", parameters), ("interface", interface), ("work", WORK))):
        cell = nbformat.v4.new_code_cell(code, metadata={"tags": [tag]})
        cell["id"] = f"cell-{number}"
        notebook.cells.append(cell)
    nbformat.write(notebook, path)


def _leave_one_notebook(folder: Path, notebook: str) -> None:
    """Take the others out of the sample's parameters and out of the step's models."""
    path = folder / "params" / "sample.json"
    job = json.loads(path.read_text())
    job["substeps_params"] = [one for one in job["substeps_params"] if one["substep_name"] == notebook]
    path.write_text(json.dumps(job))
    for module in folder.glob("*_params.py"):
        text = module.read_text()
        module.write_text(text.replace('"score.ipynb": ScoreParams', "").replace(", }", "}"))
