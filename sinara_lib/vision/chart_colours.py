"""Colours that the charts of all steps share, for light and for dark pages; what only one report draws has its own."""

from collections.abc import Mapping
from typing import Literal

Theme = Literal["light", "dark"]
THEMES: tuple[Theme, ...] = ("light", "dark")
INK: Mapping[Theme, str] = {"light": "#1d2129", "dark": "#e8eaed"}
"""Text and numbers."""
FAINT: Mapping[Theme, str] = {"light": "#d9dde3", "dark": "#3a4048"}
"""Axes and grids."""
PAPER: Mapping[Theme, str] = {"light": "#ffffff", "dark": "#1b1f25"}
BAD: Mapping[Theme, str] = {"light": "#b3261e", "dark": "#ff8f85"}
"""What is wrong, or below a threshold."""
