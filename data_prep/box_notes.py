"""How a finding about a box is written down."""

from check_table import Action
from dataset_findings import Ledger

from sinara_lib.vision.coco import CocoAnnotation, CocoImage


def note_box(ledger: Ledger, name: str, one: CocoAnnotation, image: CocoImage) -> Action:
    """Record one case of a check with the box as it is, to be drawn; return what to do with it."""
    box = ", ".join(f"{value:g}" for value in one.bbox)
    text = f"annotation {one.id}: [{box}] in {image.file_name}, {image.width} x {image.height}"
    return ledger.note(name, text, file_name=image.file_name, box=one.bbox)
