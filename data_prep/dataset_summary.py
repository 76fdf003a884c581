"""What is published beside the datasets: who lies where, and the figures of the report as data."""

from pathlib import Path

from dataset_histograms import figures_json, parts_csv
from dataset_stats import PartStats
from split_memory import SPLIT_FILE, SplitRecord

from sinara_lib.store import publish_folder
from sinara_lib.store.manifest import Manifest


def publish_summary(parts: PartStats, record: SplitRecord, folder: Path, url: str) -> Manifest:
    """Publish `split.json`, `figures.json` and `parts.csv`, written into an empty folder, as plain files.

    Figures are those of what is published; the split is that of the source's images.
    """
    (folder / SPLIT_FILE).write_text(record.as_json(), encoding="utf-8")
    (folder / "figures.json").write_text(figures_json(parts), encoding="utf-8")
    (folder / "parts.csv").write_text(parts_csv(parts), encoding="utf-8")
    return publish_folder(folder, url)
