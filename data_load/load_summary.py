"""What was loaded, as tables and pictures for the notebook's report."""

import io
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

import cv2
import numpy as np
from matplotlib.figure import Figure

from loaded_source import LoadedSource
from sinara_lib.downloads.origin import Origin
from sinara_lib.tables import address, code, markdown_table, plain
from sinara_lib.vision.coco import CocoDataset, CocoImage
from sinara_lib.vision.coco_drawing import Pixels
from sinara_lib.vision.contact_sheet import annotated, empty, grid, jpeg, padded

BAR_COLOUR = "#2f6f9f"
_PAPER, _UNREADABLE = (236, 236, 236), (150, 150, 150)


def origins_table(origins: Mapping[str, Origin | None]) -> str:
    """Return a Markdown table: each source with its size, checksum, version, and when and how its bytes came."""
    rows: list[list[object]] = []
    for name, origin in origins.items():
        if origin is None:
            rows.append([name, "none: training starts from scratch", *[""] * 5])
            continue
        known = [f"agrees with {origin.checked}" if origin.checked else "", origin.note or ""]
        rows.append(
            [
                name,
                address(origin.url),
                f"{origin.size / 1e6:,.1f}\N{NO-BREAK SPACE}MB",
                code(f"{origin.sha256[:16]}…"),
                code(origin.etag) if origin.etag else origin.last_modified or "",
                origin.fetched.strftime("%Y-%m-%d %H:%M:%S UTC"),
                "; ".join(filter(None, known)),
            ]
        )
    return markdown_table(["Source", "URL", "Size", "sha256", "Version", "Retrieved", "Known of it"], rows)


def licences_table(dataset: CocoDataset) -> str:
    """Return markdown table: the licences that the document names, and how many images are under each."""
    counts = Counter(image.extra.get("license") for image in dataset.images)
    rows: list[list[object]] = []
    for licence in dataset.licenses:
        count = counts.pop(licence.get("id"), 0)
        rows.append([licence.get("name", "?"), address(licence.get("url", "")), f"{count:,}"])
    if left := sum(counts.values()):
        rows.append(["not stated", "", f"{left:,}"])
    return markdown_table(["Licence", "URL", "Images"], rows)


def counts_table(dataset: CocoDataset, *, files: int, left_out: int, missing: int) -> str:
    """Return markdown table: how much of everything there is."""
    with_objects = {annotation.image_id for annotation in dataset.annotations}
    sizes = Counter((image.width, image.height) for image in dataset.images)
    (width, height), most = sizes.most_common(1)[0] if sizes else ((0, 0), 0)
    facts = {
        "Image files loaded": files,
        "Other files in the source, left out": left_out,
        "Images in the annotations": len(dataset.images),
        "… of which the file is missing": missing,
        "… without any annotation": sum(image.id not in with_objects for image in dataset.images),
        "Annotations": len(dataset.annotations),
        "… of which crowds": sum(annotation.iscrowd for annotation in dataset.annotations),
        "Classes": len(dataset.categories),
        "Image sizes": f"{len(sizes)}; most often {width} x {height} ({most} images)",
    }
    rows = [[name, f"{value:,}" if isinstance(value, int) else value] for name, value in facts.items()]
    return markdown_table(["", ""], rows)


def class_chart(dataset: CocoDataset, *, most: int = 20) -> bytes:
    """Return PNG, bars: annotations of each class, the `most` frequent ones."""
    counts = Counter(annotation.category_id for annotation in dataset.annotations)
    names = {category.id: category.name for category in dataset.categories}
    shown = sorted(((counts[id_], name) for id_, name in names.items()), key=lambda one: (-one[0], one[1]))[:most]
    figure = Figure(figsize=(8, 0.8 + 0.28 * max(len(shown), 2)), layout="constrained")
    axes = figure.subplots()
    bars = axes.barh([name for _, name in shown], [count for count, _ in shown], color=BAR_COLOUR)
    axes.bar_label(bars, fmt="{:,.0f}", padding=3)
    axes.margins(y=0.01)
    axes.invert_yaxis()
    axes.spines[["top", "right", "bottom"]].set_visible(False)
    axes.xaxis.set_visible(False)
    frequent = f" (the {most} most frequent)" if len(names) > most else ""
    axes.set_title(f"Annotations of each class{frequent}" if names else "There are no classes yet.", loc="left")
    axes.yaxis.set_visible(bool(names))
    axes.spines["left"].set_visible(bool(names))
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=110)
    return buffer.getvalue()


def contact_sheet(dataset: CocoDataset, folder: Path, *, count: int, columns: int = 4, side: int = 400) -> bytes:
    """Return JPEG: pictures spread evenly over the dataset with their annotated boxes; unreadable ones show as grey."""
    step = max(1, len(dataset.images) // max(count, 1))
    tiles = [_tile(dataset, folder, image, side=side - 8) for image in dataset.images[::step][:count]]
    cells = [padded(tile, (side, side), colour=_PAPER) for tile in tiles or [empty((1, 1), colour=_PAPER)]]
    return jpeg(grid(cells, columns, colour=_PAPER))


def _tile(dataset: CocoDataset, folder: Path, image: CocoImage, *, side: int) -> Pixels:
    path = folder / image.file_name
    loaded = cv2.imread(str(path)) if path.exists() else None
    if loaded is None:
        return empty((side, side), colour=_UNREADABLE)
    pixels = np.asarray(loaded, dtype=np.uint8)
    objects = dataset.annotations_of(image.id)
    return annotated(pixels, objects, dataset=dataset, scale=side / max(pixels.shape[:2]))


def formats_table(sources: Sequence[LoadedSource]) -> str:
    """Return markdown table: each source with its format, images, objects and classes: found = taken + left out."""
    rows = [
        [
            address(one.url),
            one.format,
            f"{len(one.images):,}",
            f"{len(one.dataset.images):,}",
            f"{one.tally.found:,}",
            f"{one.tally.taken:,}",
            f"{one.tally.left_out.total():,}",
            ", ".join(one.dataset.class_names[:8]) + _more(one),
        ]
        for one in sources
    ]
    counts = ["Image files", "Images annotated", "Objects found", "Taken", "Left out"]
    headers = ["Annotations from", "Format", *counts, "Classes"]
    return "\n".join([markdown_table(headers, rows), "", left_out_text(sources)])


def left_out_text(sources: Sequence[LoadedSource]) -> str:
    """Return what became of the objects: their sum, and markdown lists of what was left out and passed over."""
    found, taken = (sum(getattr(one.tally, key) for one in sources) for key in ("found", "taken"))
    total = f"{found:,} objects found = {taken:,} taken + {found - taken:,} left out."
    lost = [
        f"- {count:,} {plain(what)} ({address(one.url)}, {plain(one.format)}){_example(one, what)}"
        for one in sources
        for what, count in one.tally.left_out.most_common()
    ]
    notes = [
        f"- {count:,} {plain(what)} ({address(one.url)}){_example(one, what)}"
        for one in sources
        for what, count in one.tally.notes.most_common()
    ]
    parts = [[f"{total} Every object was taken." if not lost else total]]
    if lost:
        parts.append(["Left out, because COCO has no place for it or it cannot be read:", "", *lost])
    if notes:
        parts.append(["Passed over, which is no object of an image:", "", *notes])
    return "\n\n".join("\n".join(part) for part in parts)


def _example(one: LoadedSource, what: str) -> str:
    return f", such as: {plain(one.tally.examples[what])}" if what in one.tally.examples else ""


def _more(one: LoadedSource) -> str:
    count = len(one.dataset.class_names) - 8
    return f" and {count} more" if count > 0 else ""
