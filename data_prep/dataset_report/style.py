"""One look for all pictures of the report, and their way into a notebook."""

import io

import numpy as np
from IPython.display import Image
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from numpy.typing import NDArray

from sinara_lib.vision import chart_colours
from sinara_lib.vision.contact_sheet import jpeg

Pixels = NDArray[np.uint8]

INK, FAINT = chart_colours.INK["light"], chart_colours.FAINT["light"]
"""A notebook's outputs stand on white."""
_DOTS_PER_INCH = 144
LOOK = {
    "font.size": 10,
    "text.color": INK,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.titlelocation": "left",
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": FAINT,
    "xtick.color": INK,
    "ytick.color": INK,
    "legend.frameon": False,
}
"""Settings of matplotlib that every picture is drawn under."""


def new_figure(width: float, height: float, *, rows: int, columns: int, sharey: bool = False) -> Figure:
    """Return a figure with a grid of axes; width and height in inches."""
    figure = Figure(figsize=(width, height), layout="constrained", dpi=_DOTS_PER_INCH)
    figure.subplots(rows, columns, sharey=sharey, squeeze=False)
    return figure


def as_png(figure: Figure, *, alt: str) -> Image:
    """Return the figure as a PNG to display; `alt` says in words what it shows."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png")
    return Image(data=buffer.getvalue(), format="png", alt=alt, width=_shown_width(figure.bbox.width))


def figure_pixels(figure: Figure) -> Pixels:
    """Return the figure as uint8 BGR pixels, H x W x 3."""
    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    return np.ascontiguousarray(np.asarray(canvas.buffer_rgba())[:, :, 2::-1])


def as_jpeg(pixels: Pixels, *, alt: str) -> Image:
    """uint8 BGR pixels as a JPEG to display; `alt` says in words what it shows."""
    return Image(data=jpeg(pixels), format="jpeg", alt=alt, width=_shown_width(pixels.shape[1]))


def _shown_width(pixels: float) -> int:
    return min(round(pixels), 920)
