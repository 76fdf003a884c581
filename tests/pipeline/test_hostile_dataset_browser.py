"""A dataset whose every name is an attack goes through all five steps: nothing of it runs, or is lost from view."""

import json
import random
from collections.abc import Iterator
from pathlib import Path

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Browser

from sinara_lib.cli.main import main
from sinara_lib.comparison.pipeline_index import write_index
from sinara_lib.settings import load_settings
from sinara_lib.store import ArtifactStore
from tests.browser import open_browser
from tests.pipeline.conftest import REPOSITORY, STEPS, TINY, Workspace

RUN = "document.title='taken'"
CLASSES = [f"<script>{RUN}</script>", f'<img src=x onerror="{RUN}">|`x`', "=1+1\x1b[31m @team closes #1"]
LICENCE = {"id": 1, "name": f'"><svg onload="{RUN}">', "url": f"javascript:{RUN}"}
JOB = TINY | {"data_prep": ["classes=[]"], "model_train": [*TINY["model_train"], "input_size=[64, 64]"]}


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixteen drawn images with two boxes each, named and classed by a stranger."""
    folder = tmp_path_factory.mktemp("hostile")
    rng, images, annotations = random.Random(7), [], []
    for number in range(1, 17):
        name = f"<img src=x onerror={RUN}>{number}.png"
        picture = Image.effect_noise((64, 64), 40 + number).convert("RGB")
        draw = ImageDraw.Draw(picture)
        images.append({"id": number, "file_name": name, "width": 64, "height": 64, "license": 1})
        for _ in range(2):
            left, top, kind = rng.randint(2, 40), rng.randint(2, 40), len(annotations) % 3
            draw.rectangle((left, top, left + 20, top + 20), fill=[(200, 30, 30), (30, 200, 30), (30, 30, 200)][kind])
            box = {"id": len(annotations) + 1, "image_id": number, "category_id": kind + 1, "iscrowd": 0, "area": 400}
            annotations.append(box | {"bbox": [left, top, 20, 20]})
        picture.save(folder / name)
    categories = [{"id": number, "name": name} for number, name in enumerate(CLASSES, 1)]
    document = {"images": images, "annotations": annotations, "categories": categories, "licenses": [LICENCE]}
    (folder / "labels.json").write_text(json.dumps(document), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def store(dataset: Path, workspace: Workspace) -> ArtifactStore:
    """The store in which the five steps have run on that dataset."""
    source = [f"images_url={dataset}", f"annotations_url={dataset / 'labels.json'}", "weights_url=null"]
    for step in STEPS:
        assignments = source if step == "data_load" else JOB[step]
        flags = [part for one in assignments for part in ("--set", one)]
        said = workspace.must(["step.dev.py", "--params", "params/sample.json", *flags], REPOSITORY / step)
        assert "\x1b" not in said, step
    return workspace.store("user")


@pytest.fixture(autouse=True)
def _settings(workspace: Workspace, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in workspace.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(REPOSITORY)


@pytest.fixture
def pages(store: ArtifactStore, workspace: Workspace, tmp_path: Path) -> list[Path]:
    """Every page that the runs published, the index, and those between runs."""
    runs = {step.step: store.runs(step)[0] for step in store.steps()}
    assert main(["compare", "--html", str(tmp_path / "compare.html")]) == 0
    loaded, prepared = runs["data_load"].run_id, runs["data_prep"].run_id
    assert main(["diff", loaded, prepared, "--html", str(tmp_path / "diff.html")]) == 0
    write_index([store.url_of(runs[step]) for step in STEPS], load_settings())
    return [*workspace.root.rglob("*.html"), *tmp_path.glob("*.html")]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium."""
    with open_browser() as browser:
        yield browser


def test_no_page_runs_or_fetches_what_a_name_says(pages: list[Path], browser: Browser) -> None:
    names = {path.name for path in pages}
    assert {"report.html", "business_report.html", "index.html", "compare.html", "diff.html"} <= names
    assert len(pages) >= 15
    for path in pages:
        opened = browser.new_page()
        asked: list[str] = []
        opened.on("request", lambda request, asked=asked: asked.append(request.url))
        opened.goto(path.as_uri())
        opened.wait_for_timeout(100)
        assert "taken" not in opened.title(), path
        assert [url for url in asked if url != path.as_uri() and not url.startswith(("data:", "blob:"))] == [], path
        opened.close()


def test_every_class_is_shown_as_it_is_written(pages: list[Path], browser: Browser, store: ArtifactStore) -> None:
    (quality,) = [path for path in pages if path.parent.name == "model_quality_report"]
    opened = browser.new_page()
    opened.goto(quality.as_uri())
    text = opened.inner_text("body")
    opened.close()
    assert all(name.split("\x1b")[0] in text for name in CLASSES)


def test_no_command_shows_what_a_terminal_obeys_or_a_comment_calls(
    store: ArtifactStore, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [store.runs(step)[0] for step in store.steps()]
    commands = [["show", run.run_id] for run in runs] + [["lineage", runs[-1].run_id], ["verify", "--all"]]
    commands += [["report", run.run_id, "--format", "md"] for run in runs]
    for command in commands:
        assert main(command) == 0
        said = capsys.readouterr().out
        assert "\x1b" not in said, command
        if command[-1] == "md":
            assert not [sign for sign in ("<script", "<img", "@team") if sign in said], command
