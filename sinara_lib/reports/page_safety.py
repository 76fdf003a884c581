"""What a page may do, which is to show itself: nothing is fetched, no script runs but its own, HTML in text is cut.

Text of strangers is escaped where it is put into a page; this holds where that was forgotten, and where a notebook's
output is HTML of its own.
"""

import base64
import hashlib
import re
from typing import Any

import bleach
from bleach.css_sanitizer import CSSSanitizer
from jinja2 import pass_context
from jinja2.runtime import Context
from nbconvert import HTMLExporter

_SCRIPT = re.compile(r"<script>(.*?)</script>", re.DOTALL)
_PICTURE = re.compile(r"data:image/[a-z+]+;base64,[A-Za-z0-9+/=]+")
_UNSEEN = re.compile(r"<(script|style)\b.*?(</\1\s*>|\Z)", re.DOTALL | re.IGNORECASE)
_TAGS = frozenset(
    "a b blockquote br caption code dd del details div dl dt em h1 h2 h3 h4 h5 h6 hr i img kbd li ol p picture pre s"
    " small source span strong sub summary sup table tbody td tfoot th thead tr u ul".split()
)
_ATTRIBUTES = frozenset({"align", "class", "id", "style", "title"})
_STYLES = CSSSanitizer(allowed_css_properties=["height", "text-align", "vertical-align", "white-space", "width"])


def content_policy(*scripts: str) -> str:
    """Return the Content-Security-Policy of a page in which only these scripts run, given as their texts.

    >>> content_policy().split("; ")[3]
    "script-src 'none'"
    """
    allowed = " ".join(f"'sha256-{_digest(script)}'" for script in scripts) or "'none'"
    return (
        "default-src 'none'; img-src data:; style-src 'unsafe-inline'; "
        f"script-src {allowed}; base-uri 'none'; form-action 'none'"
    )


def scripts_of(template: str) -> list[str]:
    """Return the scripts that stand in a template, as they are written there: never one that came with the data."""
    return _SCRIPT.findall(template)


def restrict_html(exporter: HTMLExporter) -> None:
    """Let the exporter keep of HTML, in Markdown and in outputs, what shows text and pictures."""

    @pass_context
    def convert(context: Context, source: str) -> str:
        return clean_html(exporter.markdown2html(context, source))

    exporter.register_filter("markdown2html", convert)
    # A table of pandas brings its own style, whose text is not for readers.
    exporter.register_filter("clean_html", lambda html: clean_html(_UNSEEN.sub("", html), strip=True))


def clean_html(html: str, *, strip: bool = False) -> str:
    """Return HTML without what runs, loads, or leads to anything but pages: scripts, frames, forms, handlers.

    What is cut is shown as text, or with `strip` left out.
    """
    kept = bleach.clean(
        html,
        strip=strip,
        tags=_TAGS,
        attributes=_allowed,
        protocols={"http", "https", "mailto", "file", "data"},
        css_sanitizer=_STYLES,
    )
    return str(kept)


def _allowed(tag: str, name: str, value: str) -> bool:
    """Return whether an attribute stays: pictures are in the page itself, links lead to other pages."""
    if name in {"href", "src"}:
        inside = value.strip().lower().startswith("data:")
        return (tag, name, inside) in {("a", "href", False), ("img", "src", True)}
    if tag == "source":  # of a picture: for dark pages, or for a phone
        return name == "media" or (name == "srcset" and _PICTURE.fullmatch(value) is not None)
    return name in _ATTRIBUTES or (tag == "img" and name in {"alt", "height", "width"})


def _digest(script: str) -> str:
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode("ascii")


def page_scripts(environment: Any, template: str) -> list[str]:
    """Return the scripts of a template that Jinja loads by its name."""
    return scripts_of(environment.loader.get_source(environment, template)[0])
