"""Fixtures of the steps' tests; each imports its step's modules only when a test asks for it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock

if TYPE_CHECKING:
    from starlette.testclient import TestClient
    from torch import nn

    from sinara_lib.vision.coco_archive import Split
    from sinara_lib.vision.model_pages import ModelCard


@pytest.fixture
def train(tmp_path: Path) -> Split:
    """A split to train on in seconds."""
    from drawn_splits import draw_split

    return draw_split(tmp_path / "train", "train", images=6, seed=1)


@pytest.fixture
def evaluate(tmp_path: Path) -> Split:
    """A split to score on in seconds."""
    from drawn_splits import draw_split

    return draw_split(tmp_path / "eval", "eval", images=3, seed=2)


@pytest.fixture(scope="session")
def inference_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What model_train publishes, for a network that was never trained but finds plenty of objects."""
    from small_network import save_small_network

    folder = tmp_path_factory.mktemp("inference_files")
    save_small_network(folder)
    return folder


@pytest.fixture(scope="session")
def card(inference_files: Path) -> ModelCard:
    """The model card of the small network."""
    from sinara_lib.vision.model_pages import ModelCard

    return ModelCard.load(inference_files)


@pytest.fixture(scope="session")
def detector(inference_files: Path) -> nn.Module:
    """The small network in PyTorch."""
    from detector_export.model_card import load_detector

    return load_detector(inference_files)


@pytest.fixture(scope="session")
def onnx_file(request: pytest.FixtureRequest, card: ModelCard, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small network as ONNX, as the example of `export_detector` writes it.

    It is exported once for all processes of a test run, since that takes half a minute.
    """
    from detector_export.export import export_detector
    from docstring_examples import run_examples
    from small_network import NMS

    base = tmp_path_factory.getbasetemp()
    folder = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / "small_network"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            made = tmp_path_factory.mktemp("onnx")
            with pytest.MonkeyPatch.context() as patch:
                patch.chdir(made)
                run_examples(export_detector, detector=request.getfixturevalue("detector"), card=card, nms=NMS)
            made.rename(folder)
    return folder / "model.onnx"


@pytest.fixture(scope="session")
def service_folder(
    onnx_file: Path, card: ModelCard, inference_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """The folder that becomes the bento, with its expected result."""
    from service_packing import find_test_image, lay_out_service, write_expected_result, write_requirements
    from small_network import MIN_SCORE

    folder = lay_out_service(
        tmp_path_factory.mktemp("packed") / "service",
        model=onnx_file,
        card=card,
        test_image=find_test_image(inference_files),
        version="run-26-01-02-040506-789",
        min_score=MIN_SCORE,
    )
    write_requirements(folder, onnxruntime_package="onnxruntime")
    write_expected_result(folder)
    return folder


@pytest.fixture(scope="session")
def bento_url(service_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The published bento_service entity."""
    from small_network import publish_service

    return publish_service(service_folder, str(tmp_path_factory.mktemp("bentos")))


@pytest.fixture(scope="module")
def client(service_folder: Path) -> Iterator[TestClient]:
    """A client of the packed service in this process, warmed up."""
    from service_cases import open_service

    opened = open_service(service_folder)
    yield opened
    opened.app.close()
