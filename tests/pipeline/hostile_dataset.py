"""A dataset whose every name is an attack, for the steps to go through with it."""

import json
import random
from pathlib import Path

from PIL import Image, ImageDraw

RUN = "document.title='taken'"
CLASSES = [f"<script>{RUN}</script>", f'<img src=x onerror="{RUN}">|`x`', "=1+1\x1b[31m @team closes #1"]
LICENCE = {"id": 1, "name": f'"><svg onload="{RUN}">', "url": f"javascript:{RUN}"}


def draw_hostile_dataset(folder: Path) -> dict[str, list[str]]:
    """Draw sixteen images with two boxes each, named and classed by a stranger; gives what to set in each step."""
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
    source = [f"images_url={folder}", f"annotations_url={folder / 'labels.json'}", "weights_url=null"]
    return {"data_load": source, "data_prep": ["classes=[]"], "model_train": ["input_size=[64, 64]"]}
