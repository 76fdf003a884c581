"""The first tool that works builds the image; what goes wrong is said in the tool's own words."""

from pathlib import Path

import pytest

from sinara_lib.container.builder import Builder, find_builder
from sinara_lib.container.containerize import ServiceImage, how_to_run
from sinara_lib.errors import SinaraError


@pytest.fixture
def tools(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH, besides the shell's."""
    folder = tmp_path / "tools"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}")
    return folder


def write_tool(folder: Path, name: str, script: str) -> None:
    (folder / name).write_text(f"#!/bin/sh\n{script}\n")
    (folder / name).chmod(0o755)


def test_without_a_tool_the_error_says_what_to_install(tools: Path) -> None:
    with pytest.raises(SinaraError, match=r"docker: not installed; podman: not .*apt install podman"):
        find_builder()


def test_a_docker_client_without_its_daemon_is_passed_over(tools: Path) -> None:
    write_tool(tools, "docker", "echo 'Cannot connect to the Docker daemon' >&2; exit 1")
    with pytest.raises(SinaraError, match=r"docker: Cannot connect to the Docker daemon; podman: not installed"):
        find_builder()
    write_tool(tools, "buildah", "exit 0")
    assert find_builder() == Builder("buildah")


def test_a_docker_without_buildkit_is_passed_over(tools: Path) -> None:
    write_tool(tools, "docker", "echo 'Usage: docker build [OPTIONS]'")
    with pytest.raises(SinaraError, match=r"docker: its BuildKit is missing, install the buildx plugin;"):
        find_builder()
    write_tool(tools, "docker", "echo '  -o, --output stringArray'")
    assert find_builder() == Builder("docker")


def test_a_tool_asked_for_by_name_is_not_exchanged_for_another(tools: Path) -> None:
    write_tool(tools, "podman", "exit 0")
    assert find_builder("podman") == Builder("podman")
    with pytest.raises(SinaraError, match=r"\(buildah: not installed\)"):
        find_builder("buildah")


def test_a_failing_build_shows_the_tools_last_lines(tools: Path, tmp_path: Path) -> None:
    write_tool(
        tools, "podman", "i=0; while [ $i -lt 40 ]; do i=$((i+1)); echo line $i; done; echo no space >&2; exit 125"
    )
    with pytest.raises(SinaraError, match=r"podman could not build x:1 \(exit code 125\).*\n(line \d+\n){14}no space$"):
        Builder("podman").build(tmp_path, tag="x:1")


def test_a_build_is_dated_the_same_each_time_and_keeps_the_health_check(tools: Path, tmp_path: Path) -> None:
    write_tool(tools, "podman", f'echo "$@" $SOURCE_DATE_EPOCH > {tmp_path}/called')
    Builder("podman").build(tmp_path, tag="x:1")
    called = (tmp_path / "called").read_text()
    assert "--timestamp 315532800" in called
    assert "--format docker" in called
    assert called.endswith(f"--tag x:1 {tmp_path} 315532800\n")


def test_a_push_needs_a_registry_in_the_tag(tools: Path, tmp_path: Path) -> None:
    write_tool(tools, "podman", f'echo "$@" > {tmp_path}/called')
    with pytest.raises(SinaraError, match=r"Cannot push rest_service:1: it names no registry\. Use --tag"):
        Builder("podman").push("rest_service:1")
    Builder("podman").push("registry.example/rest_service:1")
    assert (tmp_path / "called").read_text() == "push registry.example/rest_service:1\n"


@pytest.mark.parametrize(
    ("builder", "packages", "expected"),
    [
        ("docker", ["onnxruntime 1.31.1"], "docker run --rm --read-only --cap-drop all"),
        ("buildah", ["onnxruntime 1.31.1"], "podman run --rm --read-only --cap-drop all"),
        ("docker", ["onnxruntime-gpu 1.31.1"], "--tmpfs /tmp --gpus all -p"),
        ("podman", ["onnxruntime-gpu 1.31.1"], "--tmpfs /tmp --device nvidia.com/gpu=all -p"),
    ],
)
def test_how_to_run_it_is_said_for_the_tool_and_the_gpu(builder: str, packages: list[str], expected: str) -> None:
    image = ServiceImage(tag="x:1", builder=builder, size="504 MB", packages=packages)
    lines = how_to_run(image)
    assert lines[0] == "image     x:1"
    assert "504 MB" in lines[2]
    assert expected in lines[-1]
    assert lines[-1].endswith("-p 127.0.0.1:3000:3000 x:1")
