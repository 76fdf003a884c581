"""Edits planted into a pipeline one after the other: after each, exactly the steps run that have to."""

import json
import logging
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path

import pytest
from detector_steps import PARAMS, write_detector

from quick_steps import Pipeline, pipeline  # noqa: F401 - a fixture
from sinara_lib.catalog.garbage import collect_garbage
from sinara_lib.layout import StepAddress
from sinara_lib.store import ArtifactStore
from step_cases import git

LOAD, PREP, TRAIN, PACK, EVAL = PARAMS
ALL = set(PARAMS)


@dataclass
class Scene:
    """The pipeline that is edited, its source, and its stores."""

    pipeline: Pipeline
    source: Path
    packages: Path
    store: ArtifactStore
    patch: pytest.MonkeyPatch
    env: str = "user"
    rows: list[tuple[str, set[str], set[str], str]] = field(default_factory=list)

    def file(self, name: str) -> Path:
        """A file of the pipeline."""
        return self.pipeline.folder / name

    def output(self, step: str, entity: str) -> Path:
        """The file of what a step published last."""
        run = self.store.resolve(StepAddress("rest", "test", step), [entity])
        return Path(f"{self.store.root}/{run.path}/{entity}/it.txt")

    def record(self, step: str) -> Path:
        """The record of a step's newest run."""
        return Path(f"{self.store.root}/{self.store.runs(StepAddress('rest', 'test', step))[0].path}/_RUN.json")

    def package(self, version: str) -> None:
        """Install another version of the one package that a step declares."""
        for old in self.packages.glob("*.dist-info"):
            shutil.rmtree(old)
        place = self.packages / f"tinytorch-{version}.dist-info"
        place.mkdir()
        (place / "METADATA").write_text(f"Metadata-Version: 2.1\nName: tinytorch\nVersion: {version}\n")

    def after(self, edit: str, expected: set[str], why: str) -> None:
        """Note which steps a run of the pipeline runs now; `--explain` says the same before, but for what depends."""
        lines = self.pipeline.explain(env=self.env)
        told = {line.split()[0] for line in lines if " runs: " in line}
        maybe = {line.split()[0] for line in lines if " runs unless " in line}
        outcome = self.pipeline.run(env=self.env)
        assert outcome.error is None, edit
        ran = set(outcome.ran)
        assert told <= ran <= told | maybe, (edit, lines, ran)
        self.rows.append((edit, expected, ran, why))


@pytest.fixture
def scene(
    pipeline: Pipeline,  # noqa: F811
    tmp_path: Path,
    stores: Callable[[str], ArtifactStore],
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    """The pipeline, committed, before its first run."""
    write_detector(pipeline, tmp_path / "source")
    git(pipeline.folder, "init", "-q", "-b", "main")
    git(pipeline.folder, "add", "-A")
    git(pipeline.folder, "commit", "-q", "-m", "pipeline")
    (tmp_path / "packages").mkdir()
    monkeypatch.syspath_prepend(str(tmp_path / "packages"))
    scene = Scene(pipeline, tmp_path / "source", tmp_path / "packages", stores("user"), monkeypatch)
    scene.package("1.0")
    return scene


@pytest.fixture
def warnings() -> Iterator[list[str]]:
    """What the library warns of; a notebook in this process sets the root logger's handlers anew."""
    told: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            told.append(record.getMessage())

    listener = Listener(logging.WARNING)
    logging.getLogger("sinara_lib").addHandler(listener)
    yield told
    logging.getLogger("sinara_lib").removeHandler(listener)


def test_after_each_edit_exactly_the_steps_run_that_have_to(scene: Scene, warnings: list[str]) -> None:
    scene.after("the first run", ALL, "nothing was made before")
    scene.after("nothing", set(), "nothing changed")
    _edit_parameters(scene)
    _edit_code_and_packages(scene)
    _edit_the_source(scene)
    _damage_outputs(scene, warnings)
    _remove_runs_and_rename(scene)
    _damage_records(scene, warnings)
    _change_user_and_clone(scene)
    _go_to_prod(scene)
    assert len(scene.rows) >= 20
    wrong = [row for row in scene.rows if row[1] != row[2]]
    assert wrong == []


def _edit_parameters(scene: Scene) -> None:
    params = scene.pipeline.write_params
    params(TRAIN, {"epochs": 12})
    scene.after("a parameter", {TRAIN, PACK, EVAL}, "another model is packed and scored")
    params(TRAIN, {"epochs": 9})
    scene.after("the parameter back", set(), "the first run was made by this")
    params(TRAIN, {"epochs": 9, "rate": 0.1})
    scene.after("a default written out", set(), "the notebook sees the same parameters")


def _edit_code_and_packages(scene: Scene) -> None:
    make = scene.file("data_prep/make.py")
    make.write_text(f"{make.read_text()}# said again\n")
    scene.after("a comment in a module", {PREP}, "its code is another, what it makes is the same: the chain ends")
    scene.file("model_eval/page.txt").write_text("another template")
    scene.after("a template", {EVAL}, "only the report is made with it")
    scene.file("model_pack/notes.md").write_text("still nobody")
    scene.after("a file that nobody uses", {PACK}, "every tracked file counts; the same bento ends the chain")
    scene.file("model_pack/work.tmp").write_text("left by an editor")
    scene.after("a file that git ignores", set(), "it is no code")

    scene.package("1.1")
    scene.after("a package's version", {TRAIN}, "the one step that declares it; the same model ends the chain")


def _edit_the_source(scene: Scene) -> None:
    image = scene.source / "images" / "e1.jpg"
    image.write_text("e1 other pixels")
    scene.after("one image of the test part", {LOAD, PREP, EVAL}, "what is trained on did not change")
    image.rename(image.with_name("e9.jpg"))
    scene.after("the same image under another name", {LOAD, PREP}, "the images are another set, the parts the same")
    image.with_name("e9.jpg").touch()
    scene.after("a new date of an image", set(), "its bytes are the same")
    (scene.source / "images" / "r1.jpg").write_text("r1 other pixels")
    scene.after("one image of the train part", {LOAD, PREP, TRAIN, PACK, EVAL}, "all that follows is made from it")


def _damage_outputs(scene: Scene, warnings: list[str]) -> None:
    shutil.rmtree(scene.output(PREP, "eval").parent)
    scene.after("an output deleted", {PREP}, "it is made again, and is the same")
    model = scene.output(TRAIN, "model")
    good = model.read_bytes()
    model.write_bytes(bytes([good[0] ^ 1]) + good[1:])
    scene.after("an output's bit flipped", {TRAIN}, "the model is made again, and is the same")
    assert any("does not count: model is damaged" in one for one in warnings)
    bento = scene.output(PACK, "bento")
    bento.write_bytes(bento.read_bytes())
    scene.after("an output written anew, the same", set(), "read once, its checksum is right")


def _remove_runs_and_rename(scene: Scene) -> None:
    params = scene.pipeline.write_params
    now = datetime.now(timezone.utc)
    assert collect_garbage(scene.store, keep_last=1, older_than=None, now=now, dry_run=False).removed
    scene.after("old runs removed by gc", set(), "what is in use stays")
    params(TRAIN, {"epochs": 12})
    scene.after("a parameter whose runs gc took", {TRAIN, PACK, EVAL}, "they are not there any more")

    params(PREP, {**PARAMS[PREP], "seed": 4})
    scene.after("a seed", {PREP, TRAIN, PACK, EVAL}, "the images come in another order")
    params(PREP, {"classes": ["vehicle", "bus"], "seed": 4})
    scene.after("a renamed class", {PREP, TRAIN, PACK, EVAL}, "it stands in every label")


def _damage_records(scene: Scene, warnings: list[str]) -> None:
    record = scene.record(PACK)
    whole = record.read_bytes()
    record.write_bytes(whole[:-9])
    scene.after("a damaged record", {PACK}, "it does not count")
    assert any(one.startswith("does not count: ") and "It is damaged" in one for one in warnings)
    record.write_text(json.dumps({**json.loads(whole), "hue": "of a newer library"}))
    shutil.rmtree(scene.record(PACK).parent)
    scene.after("a record of a newer library", {PACK}, "what it says is not understood")
    assert any("A newer sinara_lib wrote it" in one for one in warnings)


def _change_user_and_clone(scene: Scene) -> None:
    scene.patch.setenv("USER", "somebody")
    git(scene.pipeline.folder, "config", "user.name", "Somebody Else")
    scene.after("another user", set(), "who runs it does not matter")
    git(scene.pipeline.folder, "add", "-A")
    git(scene.pipeline.folder, "commit", "-q", "-m", "edits")
    clone = scene.pipeline.folder.with_name("clone")
    git(scene.pipeline.folder.parent, "clone", "-q", str(scene.pipeline.folder), str(clone))
    scene.pipeline.folder = clone
    scene.after("another clone", set(), "the same files at another place")


def _go_to_prod(scene: Scene) -> None:
    scene.env = "prod"
    scene.after("prod after dev", ALL, "prod has a store of its own")
    scene.after("prod again", set(), "nothing changed")
    scene.patch.setenv("SINARA_PROD_ROOT", scene.store.root)
    scene.after("prod in the store of dev", ALL, "what dev has made there was not committed then")
    scene.env = "user"
    scene.patch.setattr("sinara_lib.__version__", "99.0")
    scene.after("the library", ALL, "whatever a step does goes through it")
    scene.env = "prod"
    scene.after("prod in the store of dev, committed", set(), "dev has run what is committed")
