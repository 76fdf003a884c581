"""The checkpoint to start from is published with a page that describes it, or the page alone says there is none."""

import hashlib
import json
from pathlib import Path

from coco_fetch import fetch_weights
from faulty_server import FaultyServer, whole
from fetch_params import FetchParams


def test_weights_are_described_beside_the_checkpoint(server: FaultyServer, tmp_path: Path) -> None:
    body = b"checkpoint"
    sha256 = hashlib.sha256(body).hexdigest()
    url = server.serve(f"/net-{sha256[:8]}.pth", whole(body))

    weights = fetch_weights(FetchParams(images_url="a.zip", weights_url=url), tmp_path)

    page = json.loads((weights.folder / "weights.json").read_text())
    assert page == {"url": url, "file_name": f"net-{sha256[:8]}.pth", "sha256": sha256, "bytes": 10}
    assert (weights.folder / page["file_name"]).read_bytes() == body


def test_without_weights_the_page_says_from_scratch(tmp_path: Path) -> None:
    weights = fetch_weights(FetchParams(images_url="a.zip"), tmp_path)

    assert [path.name for path in weights.folder.iterdir()] == ["weights.json"]
    page = json.loads((weights.folder / "weights.json").read_text())
    assert page == {"url": None, "file_name": None, "sha256": None, "bytes": 0}
