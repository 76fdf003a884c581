"""HTML pages that are complete in themselves: one look for all of them, light and dark, and nothing fetched."""

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from sinara_lib import __version__
from sinara_lib.reports.page_safety import content_policy, page_scripts

TEMPLATES = Path(__file__).parents[1] / "templates"


def page_of(template: str, *, title: str, **values: Any) -> str:
    """Return the page that a template in `templates/pages` makes; all values are escaped."""
    environment = Environment(
        loader=FileSystemLoader([TEMPLATES / "pages"]), autoescape=True, undefined=StrictUndefined, trim_blocks=True
    )
    policy = content_policy(*page_scripts(environment, template))
    return environment.get_template(template).render(title=title, version=__version__, policy=policy, **values)


def style() -> str:
    """Return the style sheet that all pages share."""
    return (TEMPLATES / "pages" / "style.css").read_text(encoding="utf-8")
