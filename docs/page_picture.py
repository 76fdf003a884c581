"""Make the picture of the service's page: `python docs/page_picture.py [URL of a bento_service entity]`.

Needs Chromium (/usr/bin/chromium or $CHROMIUM) and playwright; the newest service in the environment `user` by default.
"""

import os
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

sys.path.insert(0, str(Path(__file__).parent.parent / "data_load"))
from sample_scenes.sample import write_scenes
from scenes_url import ScenesRequest
from sinara_lib.bento.service import start_dev_bentoservice, stop_dev_bentoservice
from sinara_lib.settings import load_settings

PICTURE = Path(__file__).parent / "pictures" / "page.png"
SCENE = ScenesRequest(images=12, size=640, seed=11, defects=0)
CHOSEN = "000000000012.jpg"


def main(url: str) -> None:
    """Show a drawn scene to the service and photograph the page."""
    service = start_dev_bentoservice(url)
    try:
        with tempfile.TemporaryDirectory() as folder:
            write_scenes(SCENE, folder)
            photograph(service.url, Path(folder) / "images" / CHOSEN)
    finally:
        stop_dev_bentoservice(service)


def photograph(address: str, image: Path) -> None:
    """Open the page, give it the image, and write the window to PICTURE."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM", "/usr/bin/chromium"),
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(color_scheme="light", viewport={"width": 1200, "height": 860})
        page.goto(address)
        page.set_input_files("#file", image)
        page.locator("#canvas").wait_for(state="visible")
        page.screenshot(path=PICTURE)
        browser.close()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else load_settings().store("user").newest_url("bento_service"))
