"""Real COCO archives and a real checkpoint come through a local server as they are."""

import zipfile
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread

import pytest
from pycocotools.coco import COCO

from coco_fetch import fetch_dataset, fetch_weights
from fetch_params import FetchParams


class QuietHandler(SimpleHTTPRequestHandler):
    """Serves files without a line for each request."""

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


@pytest.fixture
def url(real_data: Path) -> Iterator[str]:
    http = ThreadingHTTPServer(("127.0.0.1", 0), partial(QuietHandler, directory=str(real_data)))
    thread = Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{http.server_port}"
    http.shutdown()
    http.server_close()
    thread.join()


def test_the_full_job_in_small_loads_as_it_is(url: str, real_data: Path, tmp_path: Path) -> None:
    params = FetchParams(
        images_url=f"{url}/coco-mini/val2017.zip",
        annotations_url=f"{url}/coco-mini/annotations_trainval2017.zip",
        annotations_member="annotations/instances_val2017.json",
        weights_url=f"{url}/yolox_nano_416_coco-bdeee7ae.pth",
    )

    loaded, weights = fetch_dataset(params, tmp_path), fetch_weights(params, tmp_path)

    assert (len(loaded.names), len(loaded.dataset.annotations), loaded.missing) == (252, 2326, [])
    oracle = COCO(str(loaded.annotations / "instances.json"))
    assert loaded.dataset.class_names == tuple(cat["name"] for cat in oracle.loadCats(oracle.getCatIds()))
    with zipfile.ZipFile(real_data / "coco-mini" / "val2017.zip") as archive:
        for name in archive.namelist()[:20]:
            if name.endswith(".jpg"):
                assert (loaded.images / Path(name).name).read_bytes() == archive.read(name)
    assert weights.file_name == "yolox_nano_416_coco-bdeee7ae.pth"
    assert weights.origin is not None
    assert weights.origin.sha256.startswith("bdeee7ae")
