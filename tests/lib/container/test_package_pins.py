"""Pins name every package a service needs, and the build of ONNX Runtime is exchanged for one that exists."""

from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from sinara_lib.container.package_pins import choose_onnxruntime, pin_installed
from sinara_lib.errors import DataError
from wheel_index import write_wheel

GPU_VERSIONS = ("1.30.0", "1.31.0", "1.31.1")
CUDA = {"nvidia-cudnn-cu13": "9.1", "nvidia-cublas": "13.0"}


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package index of its own: ONNX Runtime in both builds, and what the GPU build needs."""
    folder = tmp_path / "index"
    folder.mkdir()
    needs = ["numpy", 'nvidia-cudnn-cu13; extra == "cudnn"', 'nvidia-cublas; extra == "cuda"']
    for version in GPU_VERSIONS:
        write_wheel(folder, "onnxruntime-gpu", version, needs, extras=["cuda", "cudnn"])
    write_wheel(folder, "onnxruntime", "1.31.3", ["numpy"])
    write_wheel(folder, "numpy", "2.0.0")
    write_wheel(folder, "numpy", "2.1.0")
    for name, version in CUDA.items():
        write_wheel(folder, name, version)
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    monkeypatch.setenv("PIP_CONFIG_FILE", "/dev/null")
    return folder


def test_the_pins_are_complete_and_as_installed() -> None:
    pins = dict(pin.split("==") for pin in pin_installed(["bentoml", "onnxruntime"]))
    assert pins == {name: metadata.version(name) for name in pins}
    for name in pins:
        needs = [Requirement(text) for text in metadata.requires(name) or ()]
        always = {need.name.lower() for need in needs if need.marker is None or need.marker.evaluate({"extra": ""})}
        assert {need.replace("_", "-").replace(".", "-") for need in always} <= pins.keys(), name


def test_an_extra_brings_what_it_needs() -> None:
    extra = {pin.split("==")[0] for pin in pin_installed(["jsonschema[format-nongpl]"])}
    assert extra - {pin.split("==")[0] for pin in pin_installed(["jsonschema"])} >= {"fqdn", "isoduration"}


def test_a_package_that_is_not_installed_is_named() -> None:
    with pytest.raises(DataError, match="not-installed-anywhere is not installed here"):
        pin_installed(["not-installed-anywhere"])


@pytest.mark.usefixtures("index")
def test_the_gpu_build_is_the_newest_of_the_series_with_cuda_and_keeps_the_other_pins() -> None:
    pins = ["numpy==2.0.0", "nvidia-ml-py==13.0", "onnxruntime==1.31.5"]
    chosen = choose_onnxruntime(pins, "onnxruntime-gpu")
    cuda = [f"{name}=={version}" for name, version in CUDA.items()]
    assert chosen == sorted(["numpy==2.0.0", "nvidia-ml-py==13.0", "onnxruntime-gpu==1.31.1", *cuda])


@pytest.mark.usefixtures("index")
def test_the_cpu_build_takes_the_cuda_packages_out_again() -> None:
    pins = ["numpy==2.0.0", "nvidia-cublas==13.0", "nvidia-ml-py==13.0", "onnxruntime-gpu==1.31.1"]
    assert choose_onnxruntime(pins, "onnxruntime") == ["numpy==2.0.0", "nvidia-ml-py==13.0", "onnxruntime==1.31.3"]


@pytest.mark.usefixtures("index")
def test_an_installed_gpu_build_gets_the_cuda_packages_at_its_own_version() -> None:
    chosen = choose_onnxruntime(["numpy==2.0.0", "onnxruntime-gpu==1.31.0"], "onnxruntime-gpu")
    assert {"onnxruntime-gpu==1.31.0", "nvidia-cublas==13.0", "nvidia-cudnn-cu13==9.1"} <= {*chosen}


@pytest.mark.usefixtures("index")
def test_a_series_without_a_gpu_build_is_an_error_with_pips_words() -> None:
    with pytest.raises(DataError, match=r"(?s)pip finds no versions for onnxruntime-gpu.*==1\.20\.\*.*1\.31"):
        choose_onnxruntime(["numpy==2.0.0", "onnxruntime==1.20.1"], "onnxruntime-gpu")


def test_the_build_that_is_there_needs_no_index() -> None:
    assert choose_onnxruntime(["onnxruntime==1.31.1", "numpy==2.0.0"], "onnxruntime") == [
        "numpy==2.0.0",
        "onnxruntime==1.31.1",
    ]


def test_pins_without_onnxruntime_are_an_error() -> None:
    with pytest.raises(DataError, match="The pins name no onnxruntime"):
        choose_onnxruntime(["numpy==2.0.0"], "onnxruntime-gpu")
