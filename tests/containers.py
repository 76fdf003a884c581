"""Containers for tests, as root on Debian without a daemon: tools, storage of their own, and a stand-in base image.

Nothing is pulled from a registry of images: the base is made by debootstrap from the machine's own package mirror.
"""

import os
import platform
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

TOOLS = ("podman", "buildah", "runc", "debootstrap")
BASE = "localhost/python-base:test"
CONF = """
[containers]
default_ulimits = ["nofile=4096:4096", "nproc=4096:4096"]
netns = "host"
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
events_logger = "file"
"""
STORAGE = '[storage]\ndriver = "overlay"\ngraphroot = "{folder}/graph"\nrunroot = "{folder}/run"\n'


def why_not() -> str | None:
    """Say what keeps this machine from running containers for tests; None when nothing does."""
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        return f"no {', '.join(missing)}"
    if os.geteuid() != 0:
        return "not root"
    policy = subprocess.run(["apt-cache", "policy", "python3"], capture_output=True, text=True, check=True).stdout
    candidate = policy.partition("Candidate: ")[2].partition("\n")[0]
    running = f"{sys.version_info.major}.{sys.version_info.minor}"
    return None if candidate.startswith(f"{running}.") else f"Debian's Python is {candidate}, this one is {running}"


def make_base(folder: Path) -> None:
    """Make the image BASE, Debian with its Python, in the storage below `folder`."""
    codename = platform.freedesktop_os_release()["VERSION_CODENAME"]
    root = folder / "root"
    _run("debootstrap", "--variant=minbase", "--include=python3", codename, str(root), _mirror(codename))
    for cache in ("var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"):
        shutil.rmtree(root / cache, ignore_errors=True)
    with storage(folder / "storage"):
        container = _run("buildah", "from", "scratch")
        _run("buildah", "add", "--quiet", container, str(root), "/")
        _run("buildah", "config", "--env", "PATH=/usr/local/bin:/usr/bin:/bin", container)
        _run("buildah", "commit", "--quiet", "--rm", container, BASE)
    shutil.rmtree(root)


@contextmanager
def storage(folder: Path, *, base: Path | None = None) -> Iterator[None]:
    """Let the tools keep images and containers below `folder` alone, and read those of `base` besides."""
    folder.mkdir(parents=True, exist_ok=True)
    text = STORAGE.format(folder=folder)
    text += f'[storage.options]\nadditionalimagestores = ["{base}/graph"]\n' if base else ""
    (folder / "storage.conf").write_text(text)
    (folder / "containers.conf").write_text(CONF)
    ours = {
        "CONTAINERS_STORAGE_CONF": str(folder / "storage.conf"),
        "CONTAINERS_CONF": str(folder / "containers.conf"),
        "BUILDAH_ISOLATION": "chroot",
    }
    before = {name: os.environ.get(name) for name in ours}
    os.environ.update(ours)
    try:
        yield
    finally:
        for name, value in before.items():
            os.environ.pop(name) if value is None else os.environ.update({name: value})


def remove_storage(folder: Path) -> None:
    """Remove storage and what is mounted below it."""
    mounts = [line.split()[1] for line in Path("/proc/self/mounts").read_text().splitlines()]
    for mount in sorted((one for one in mounts if one.startswith(f"{folder}/")), reverse=True):
        _run("umount", mount)
    shutil.rmtree(folder)


def _mirror(codename: str) -> str:
    text = _run("apt-get", "indextargets", "--format", "$(RELEASE) $(SITE)", "Created-By: Packages")
    return next(line.split()[1] for line in text.splitlines() if line.split()[0] == codename)


def _run(*command: str) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{' '.join(command)}:\n{done.stdout[-2000:]}{done.stderr[-2000:]}"
    return done.stdout.strip()
