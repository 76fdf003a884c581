"""URLs and paths at the door of the parameters: what can be read in two ways is refused. Pure, no I/O."""

import re
from urllib.parse import unquote

from sinara_lib.errors import LayoutError
from sinara_lib.urls import CHAIN, CONTROL, PATHS, REMOTE, WITHOUT_SCHEME, authority_of, is_doubtful, kinds_of

_PASSWORD = re.compile(r"pass(?!file|ive)|pwd|secret|token|credentials?_base64|private_key$|(access|api)_?key", re.I)
"""Names in the query of a database that are passwords; passfile is a path."""


def checked_url(text: str) -> str:
    """Return a URL or path without the blanks around it.

    Raises LayoutError for one that others could read in another way; since it may hold a password, the error does not
    repeat it.
    """
    url = text.strip()
    if CONTROL.search(url):
        raise LayoutError("holds a tab, a line break or another control sign: write the URL in one piece.")
    for link in CHAIN.split(url):
        if "://" in link or link.partition(":")[0].lower() in REMOTE:
            _check_link(link)
        elif WITHOUT_SCHEME.match(link):
            raise LayoutError("has a user and a password but no scheme: begin it with the scheme, such as https://.")
    return url


def names_password(url: str) -> bool:
    """Tell whether the URL of a database holds a password: beside the user, or in its query."""
    rest = url.partition("://")[2]
    authority = authority_of(rest)
    query = unquote(unquote(rest[len(authority) :])).replace("+", " ")
    names = re.findall(r"[?&;#=]\s*([^=&;?#]+?)\s*=", query)
    return ":" in authority.rpartition("@")[0] or any(map(_PASSWORD.search, names))


def _check_link(link: str) -> None:
    """Raise LayoutError where user, host and path cannot be told apart."""
    scheme, found, rest = link.partition("://")
    kinds = kinds_of(scheme)
    if kinds & PATHS:
        return
    authority = authority_of(rest)
    if not found or re.search(r"\s", scheme) or (kinds & REMOTE and not authority):
        raise LayoutError("begins like a URL and is none: write it as scheme://host/path.")
    if re.search(r"[\s\"<>`\\]", authority) or is_doubtful(kinds, rest):
        raise LayoutError(
            "does not tell where a password ends and the host begins: write / ? # @ and blanks in a password as %2F "
            "%3F %23 %40 %20, and an @ in the path as %40."
        )
