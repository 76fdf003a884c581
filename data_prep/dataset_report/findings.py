"""What the checks found, for the report: a table, and the examples drawn."""

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
from IPython.display import Image
from matplotlib.axes import Axes
from matplotlib.patches import Rectangle

from dataset_checks.findings import EXAMPLES, Box, Example, Finding
from dataset_report.stats import Table
from dataset_report.style import FAINT, LOOK, as_jpeg, figure_pixels, new_figure
from sinara_lib.archive import Readable
from sinara_lib.tables import bold, code, lines
from sinara_lib.vision.contact_sheet import rows_of
from sinara_lib.vision.letterbox import decode_image

_GAP = 8


def findings_table(findings: Sequence[Finding]) -> Table:
    """Return what the checks found and what was done, in the order of the checks, where they found something."""
    headers = ["check", "found", "done", "meaning", "examples"]
    return headers, [
        [
            code(one.check.name),
            bold(f"{one.count:,}"),
            one.done,
            one.check.words(one.action),
            lines(_shortened(example.text) for example in one.examples),
        ]
        for one in findings
        if one.count
    ]


def quiet_checks(findings: Sequence[Finding]) -> str:
    """Return names of the checks that found nothing."""
    return ", ".join(code(one.check.name) for one in findings if not one.count) or "none"


@mpl.rc_context(LOOK)
def draw_findings(findings: Sequence[Finding], images: Readable) -> Image | None:
    """Up to three examples of each finding that has a picture, boxes as they came; None when there is none.

    Of two pictures that look alike, the second is the one that stays or came first.
    """
    rows = [(one, [example for example in one.examples if example.file_name]) for one in findings]
    rows = [(one, examples) for one, examples in rows if examples]
    if not rows:
        return None
    figure = new_figure(10, 2.9 * len(rows), rows=len(rows), columns=EXAMPLES)
    for axes in figure.axes:
        axes.set_axis_off()
    for row, (finding, examples) in enumerate(rows):
        cells = figure.axes[EXAMPLES * row : EXAMPLES * (row + 1)]
        for axes, example in zip(cells, examples, strict=False):
            _draw_example(axes, example, images)
        cells[0].set_title(f"{finding.check.name}: {finding.count:,} {finding.done}", fontsize=10)
    return as_jpeg(figure_pixels(figure), alt="Examples of what the checks found, the box as the document had it")


def _draw_example(axes: Axes, example: Example, images: Readable) -> None:
    pixels = decode_image(images.read(str(example.file_name)))[:, :, ::-1]
    if example.resembles is not None:
        pixels = rows_of([[pixels, decode_image(images.read(example.resembles))[:, :, ::-1]]], gap=_GAP)
    height, width = pixels.shape[:2]
    axes.imshow(pixels, extent=(0, width, height, 0))
    left, top, right, bottom = 0.0, 0.0, float(width), float(height)
    if example.box is not None and all(map(np.isfinite, example.box)):
        _draw_box(axes, example.box)
        x, y, box_width, box_height = example.box
        left, right = max(min(left, x), -width), min(max(right, x + box_width), 2 * width)
        top, bottom = max(min(top, y), -height), min(max(bottom, y + box_height), 2 * height)
    if example.resembles is None:
        axes.add_patch(Rectangle((0, 0), width, height, fill=False, edgecolor=FAINT, linewidth=1))
    margin = 0.03 * max(width, height)
    axes.set(xlim=(left - margin, right + margin), ylim=(bottom + margin, top - margin))


def _draw_box(axes: Axes, box: Box) -> None:
    x, y, width, height = box
    for colour, line in (("white", 3.4), ("#D55E00", 1.8)):
        axes.add_patch(Rectangle((x, y), width, height, fill=False, edgecolor=colour, linewidth=line))


def _shortened(text: str) -> str:
    """Return text from the data, not endless."""
    return text if len(text) <= 300 else f"{text[:297]}..."
