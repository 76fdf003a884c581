"""An image from a stored bento: `sinara containerize`."""

import json
import logging
import shutil
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from sinara_lib.bento.checksums import check_checksums
from sinara_lib.bento.service import fetch_bento
from sinara_lib.container.builder import BuilderName, find_builder
from sinara_lib.container.context import BentoFacts, write_context
from sinara_lib.container.package_pins import OnnxruntimePackage, choose_onnxruntime, read_pins
from sinara_lib.container.setup import SBOM_NAME

SERVICE_FOLDER = "/opt/service"
ONNXRUNTIME: Mapping[str | None, OnnxruntimePackage] = {"cpu": "onnxruntime", "gpu": "onnxruntime-gpu"}

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class ServiceImage:
    """An image that was built."""

    tag: str
    builder: BuilderName
    size: str
    """Uncompressed, with the base."""
    packages: Sequence[str]
    """`name version` of everything in it, Python's and the base's."""


def containerize(
    url: str,
    *,
    tag: str | None = None,
    base: str | None = None,
    onnxruntime: OnnxruntimePackage | None = None,
    builder: BuilderName | None = None,
    push: bool = False,
    sbom: str | Path | None = None,
) -> ServiceImage:
    """Build the image of the bento at `url`, and push it when asked to.

    Without `tag` it is the bento's name and version; `base` and `onnxruntime` are the bento's own unless given, the
    builder the first that works. `sbom` names a file for the list of packages, CycloneDX JSON. Raises SinaraError.
    """
    tool = find_builder(builder)
    with tempfile.TemporaryDirectory(prefix="image-") as work:
        bento, context = fetch_bento(url, Path(work)), Path(work) / "context"
        facts = BentoFacts.load(bento)
        check_checksums(bento / "src")
        pins = read_pins(bento / "src")
        pins = choose_onnxruntime(pins, onnxruntime) if onnxruntime else pins
        logger.info("Collecting %d Python packages.", len(pins))
        base = base or f"docker.io/library/{facts.image.base_image}"
        write_context(context, bento, facts=facts, base=base, pins=pins)
        tag = tag or f"{facts.name}:{facts.version}"
        logger.info("Building %s on %s with %s.", tag, base, tool.name)
        tool.build(context, tag=tag)
        tool.extract(context, stage="sbom", folder=Path(work) / "sbom")
        document = Path(work) / "sbom" / SBOM_NAME
        components = json.loads(document.read_text(encoding="utf-8"))["components"]
        if sbom:
            shutil.copyfile(document, sbom)
    if push:
        logger.info("Pushing %s.", tag)
        tool.push(tag)
    packages = [f"{one['name']} {one['version']}" for one in components if "version" in one]
    return ServiceImage(tag=tag, builder=tool.name, size=tool.size(tag), packages=packages)


def how_to_run(image: ServiceImage) -> list[str]:
    """Return what to tell whoever built the image: what it is, and how to start it."""
    run = "podman" if image.builder == "buildah" else image.builder
    options = "--read-only --cap-drop all --security-opt no-new-privileges --tmpfs /tmp"
    if any(one.startswith("onnxruntime-gpu ") for one in image.packages):
        options += " --gpus all" if run == "docker" else " --device nvidia.com/gpu=all"
    return [
        f"image     {image.tag}",
        f"built by  {image.builder}",
        f"size      {image.size} with its base",
        f"packages  {len(image.packages)}, listed in {SERVICE_FOLDER}/{SBOM_NAME} of the image",
        f"run       {run} run --rm {options} -p 127.0.0.1:3000:3000 {image.tag}",
    ]
