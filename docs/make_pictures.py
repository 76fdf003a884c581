"""Make the pictures of README.md from what the newest run in the environment `user` published: `make pictures`."""

import base64
import io
import json
import re
import shutil
import tempfile
from pathlib import Path

from PIL import Image

from sinara_lib.settings import load_settings
from sinara_lib.store import ArtifactStore, fetch_folder

FOLDER = Path(__file__).parent / "pictures"


def main() -> None:
    """Write every picture anew."""
    FOLDER.mkdir(exist_ok=True)
    store = load_settings().store("user")
    with tempfile.TemporaryDirectory() as folder:
        report = fetch_folder(store.newest_url("model_quality_report"), folder)
        for name in ("curves.png", "bars.png"):
            shutil.copy(report / name, FOLDER / name)
        page = (report / "report.html").read_text(encoding="utf-8")
    _beside(*_embedded(page)[:2]).save(FOLDER / "found.jpg", quality=88)
    _beside(*_embedded(page)[2:4]).save(FOLDER / "found_too.jpg", quality=88)
    (FOLDER / "scenes.jpg").write_bytes(base64.b64decode(_output(store, "reports_data_load_ipynb", "image/jpeg")))
    curves = _output(store, "reports_model_train_ipynb", "text/html", starts="<picture")
    light = re.findall(r'<img [^>]*src="data:image/png;base64,([^"]+)"', curves)[0]
    (FOLDER / "training.png").write_bytes(base64.b64decode(light))


def _embedded(page: str) -> list[Image.Image]:
    """Return the photographs of a page: ground truth and prediction in turn."""
    found = re.findall(r'src="data:image/jpeg;base64,([^"]+)"', page)
    return [Image.open(io.BytesIO(base64.b64decode(data))) for data in found]


def _beside(left: Image.Image, right: Image.Image) -> Image.Image:
    sheet = Image.new("RGB", (left.width + right.width + 16, left.height), "white")
    sheet.paste(left, (0, 0))
    sheet.paste(right, (left.width + 16, 0))
    return sheet


def _output(store: ArtifactStore, report: str, kind: str, *, starts: str = "") -> str:
    """Return the last output of a kind that a notebook showed, among those that start so."""
    with tempfile.TemporaryDirectory() as folder:
        text = (fetch_folder(store.newest_url(report), folder) / "report.ipynb").read_text(encoding="utf-8")
    outputs = [o for cell in json.loads(text)["cells"] for o in cell.get("outputs", [])]
    shown = ["".join(o["data"][kind]) for o in outputs if kind in o.get("data", {})]
    return [one for one in shown if one.startswith(starts)][-1]


if __name__ == "__main__":
    main()
