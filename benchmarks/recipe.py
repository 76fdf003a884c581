"""What fine-tuning by the default recipe gains over the pretrained network, and that it never publishes a worse one.

    python benchmarks/recipe.py --data FOLDER --weights FILE [--seeds 1 2 3] [--split-seed 1] [--epochs 20] [--check]

FOLDER holds val2017.zip and annotations_trainval2017.zip, laid out as COCO's own, of any size; FILE is a checkpoint of
YOLOX-Nano. data_load and data_prep run as steps, with the six road classes of the full job, and split the images
70 : 15 : 15; model_train trains once for each seed. The published weights are those with the best AP on the eval split,
so the gain there is what was chosen for; the test split was never looked at.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from statistics import mean

sys.path.insert(0, str(Path(__file__).parents[1]))
sys.path.insert(0, str(Path(__file__).parents[1] / "model_train"))

import torch
from mmengine.runner import Runner

from benchmarks.table import Target, conclude, render, say
from detector_training.config import TrainingPlace, build_config
from detector_training.data import reading_place
from detector_training.hooks import SCORE_NAMES, Scores
from detector_training.job import quiet
from detector_training.training import TrainingResult, train_detector
from sinara_lib.store import store_at
from sinara_lib.vision.coco_archive import Split, open_split
from train_params import TrainParams

ROOT = Path(__file__).parents[1]
GAIN = 2.0
"""Points of AP50 on the eval split, mean over the seeds."""


@dataclass(frozen=True)
class Trial:
    """One training: scores of the start and of the published weights on both splits."""

    seed: int
    best_is: str
    evaluate: tuple[Scores, Scores]
    test: tuple[Scores, Scores]

    def gain(self, name: str, *, test: bool) -> float:
        """Points between the start and what was published."""
        start, published = self.test if test else self.evaluate
        return 100 * (published[name] - start[name])


def main() -> int:
    """Run the benchmark; return the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", type=Path, required=True, help="folder of the two archives")
    parser.add_argument("--weights", type=Path, required=True, help="checkpoint of YOLOX-Nano")
    parser.add_argument("--seeds", type=int, nargs="+", default=[1, 2, 3])
    parser.add_argument("--split-seed", type=int, default=1)
    parser.add_argument("--epochs", type=int, default=TrainParams().epochs)
    parser.add_argument("--check", action="store_true", help="exit 1 when a target is missed")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        splits = prepare(arguments.data, Path(folder), split_seed=arguments.split_seed)
        trials = []
        for seed in arguments.seeds:
            params = TrainParams(model_name="yolox_nano", input_size=[416, 416], epochs=arguments.epochs, seed=seed)
            trials.append(attempt(params, splits, weights=arguments.weights, work=Path(folder) / f"seed_{seed}"))
            say(f"  seed {seed}: {trials[-1].best_is}, AP50 {trials[-1].gain('AP50', test=False):+.1f} on eval")
    say(report(trials))
    targets = [
        Target("mean gain in AP50 on eval, points", mean(one.gain("AP50", test=False) for one in trials), GAIN),
        Target(
            "smallest gain on test in AP or AP50, points",
            min(one.gain(name, test=True) for one in trials for name in ("AP", "AP50")),
            0.0,
        ),
    ]
    return conclude(targets, check=arguments.check)


def prepare(data: Path, folder: Path, *, split_seed: int) -> dict[str, Split]:
    """Run data_load and data_prep into a store of their own; return the three splits."""
    archives = {"images_url": data / "val2017.zip", "annotations_url": data / "annotations_trainval2017.zip"}
    sources = {**{key: path.resolve().as_uri() for key, path in archives.items()}, "weights_url": "null"}
    for step, values in (("data_load", sources), ("data_prep", {"seed": split_seed})):
        told = [argument for key, value in values.items() for argument in ("--set", f"{key}={value}")]
        environ = {**os.environ, "SINARA_USER_ROOT": str(folder / "store")}
        done = subprocess.run(
            [sys.executable, "step.dev.py", *told], cwd=ROOT / step, env=environ, capture_output=True, text=True
        )
        if done.returncode:
            raise SystemExit(f"{step} failed:\n{done.stdout}{done.stderr}")
    store = store_at(str(folder / "store"))
    return {name: open_split(store.newest_url(f"coco_{name}_dataset"), name) for name in ("train", "eval", "test")}


def attempt(params: TrainParams, splits: dict[str, Split], *, weights: Path, work: Path) -> Trial:
    """Train once, and score the start and what would be published on the test split too."""
    result = train_detector(params, train=splits["train"], evaluate=splits["eval"], weights=weights, work=work)
    test = tuple(score(result, path, splits["test"], work) for path in (work / "start.pth", result.best_path))
    return Trial(params.seed, result.best_is, evaluate=(result.start, result.best), test=(test[0], test[1]))


def score(result: TrainingResult, weights: Path, split: Split, work: Path) -> Scores:
    """Score weights on a split as training scores those of an epoch."""
    place = TrainingPlace(reading_place(split), reading_place(split), str(work))
    config = build_config(result.params, result.recipe, classes=result.classes, train_images=1, place=place)
    config.load_from, config.experiment_name = str(weights), f"{weights.stem}-{split.name}-{result.params.seed}"
    config.custom_hooks = []
    with quiet(work), torch.no_grad():
        found = Runner.from_cfg(config).val()
    return {name: float(found[key]) for name, key in SCORE_NAMES.items()}


def report(trials: list[Trial]) -> str:
    """Return the table: AP50 and AP in points, start, published, and the gain."""
    head = ["seed", "published", "split", "AP50: start", "published", "gain", "AP: start", "published", "gain"]
    rows: list[list[object]] = []
    for one in trials:
        for split, (start, best) in (("eval", one.evaluate), ("test", one.test)):
            cells = [one.seed, one.best_is.replace("_", " ")] if split == "eval" else ["", ""]
            rows.append([*cells, split, *_points(start, best, "AP50"), *_points(start, best, "AP")])
    for split in ("eval", "test"):
        gains = {name: mean(one.gain(name, test=split == "test") for one in trials) for name in ("AP50", "AP")}
        rows.append(["mean", "", split, "", "", f"{gains['AP50']:+.1f}", "", "", f"{gains['AP']:+.1f}"])
    return render(head, rows)


def _points(start: Scores, best: Scores, name: str) -> list[str]:
    return [f"{100 * start[name]:.1f}", f"{100 * best[name]:.1f}", f"{100 * (best[name] - start[name]):+.1f}"]


if __name__ == "__main__":
    sys.exit(main())
