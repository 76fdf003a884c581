"""The page at `/`: one file, with headers that keep it from loading or sending anything elsewhere."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

PAGE_FILE = Path(__file__).with_name("page.html")


class Page:
    """The page's bytes and headers, read once."""

    def __init__(self) -> None:
        self.content = PAGE_FILE.read_bytes()
        self.headers = {
            "Content-Security-Policy": _policy(self.content.decode("utf-8")),
            "X-Content-Type-Options": "nosniff",
            "Referrer-Policy": "no-referrer",
            "Cache-Control": "no-cache",
        }


def _policy(page: str) -> str:
    return "; ".join(
        [
            "default-src 'none'",
            "connect-src 'self'",
            "img-src 'self' blob: data:",
            f"script-src {_hashes(page, 'script')}",
            f"style-src {_hashes(page, 'style')}",
            "base-uri 'none'",
            "form-action 'none'",
            "frame-ancestors 'none'",
        ]
    )


def _hashes(page: str, tag: str) -> str:
    parts = re.findall(rf"<{tag}>(.*?)</{tag}>", page, flags=re.DOTALL)
    digests = (hashlib.sha256(part.encode("utf-8")).digest() for part in parts)
    return " ".join(f"'sha256-{base64.b64encode(digest).decode()}'" for digest in digests)
