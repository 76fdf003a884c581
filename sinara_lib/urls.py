"""URLs as people write them: checked where they come in, and shown without what must stay unknown. Pure, no I/O.

`without_credentials` is the one way of a URL into records, pages, logs, messages and lists of processes:

    >>> without_credentials("https://me:secret@host/a.zip?sig=1: the server answered 403")
    'https://host/a.zip: the server answered 403'
"""

import ipaddress
import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

from sinara_lib.errors import LayoutError

OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs"})
"""What follows these is a bucket and a key, in which no sign has a meaning of its own."""
CONTAINERS = frozenset({"abfs", "abfss", "wasb", "wasbs"})
"""What stands before their @ is a container, no user."""
PATHS = frozenset({"file", "sample"})
"""Nothing in these is secret."""
REMOTE = OBJECT_STORES | CONTAINERS | {"http", "https", "ftp", "ftps"}

_SECRET = re.compile(
    r"pass|pwd|secret|token|sig|credential|auth|access|session|key|policy|expires|^(x|q)-|^s[evr]$", re.I
)
"""Names in the query of an object store that sign it, or give away who may read it."""
_PASSWORD = re.compile(r"pass(?!file|ive)|pwd|secret|token|credentials?_base64|private_key$|(access|api)_?key", re.I)
"""Names in the query of a database that are passwords; passfile is a path."""

_SCHEME = r"[A-Za-z0-9+.-]*"
_NO_SLASHES = r"(https?|ftps?):[/\\]*(?=[^\s/@:]{0,99}:\S{0,200}@)"
_URL = re.compile(rf"(?<![A-Za-z0-9+.-])(?:({_SCHEME})://|{_NO_SLASHES})", re.IGNORECASE)
_WHOLE = re.compile(rf"(?:({_SCHEME})\s*:\s*/\s*/|{_NO_SLASHES})(.+)", re.IGNORECASE | re.DOTALL)
_CHAIN = re.compile(rf"::(?={_SCHEME}(?:://|::))")
_LINKS = re.compile(r"(?:::[A-Za-z0-9+.-]*)+\Z")
_LONE_QUOTE = r"'(?=[\s,;:.)\]}]|\Z)"
_ENDS = {mark: re.compile(rf"\s|{end}") for mark, end in {'"': '"', "'": _LONE_QUOTE, "`": "`", "<": ">"}.items()}
_END = re.compile(rf"[\s\"<>`]|{_LONE_QUOTE}|\\[\"nrt]")
"""Where a URL ends: at a blank, or where the quotes close that it stands in."""
_PUNCTUATION = "\\.,;:!?)}"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WITHOUT_SCHEME = re.compile(r"(?![A-Za-z]:[\\/])(?:[^\s/\\@:]+:[^@]+|//[^/@]+)@[^\s@/\\:]+(?:[/:]|$)")
_SETTINGS = re.compile(r"[?#]|;(?=[^;=/]+=)")


def checked_url(text: str) -> str:
    """Return a URL or path without the blanks around it.

    Raises LayoutError for one that others could read in another way; since it may hold a password, the error does not
    repeat it.
    """
    url = text.strip()
    if _CONTROL.search(url):
        raise LayoutError("holds a tab, a line break or another control sign: write the URL in one piece.")
    for link in _CHAIN.split(url):
        if "://" in link or link.partition(":")[0].lower() in REMOTE:
            _check_link(link)
        elif _WITHOUT_SCHEME.match(link):
            raise LayoutError("has a user and a password but no scheme: begin it with the scheme, such as https://.")
    return url


def names_password(url: str) -> bool:
    """Tell whether the URL of a database holds a password: beside the user, or in its query."""
    rest = url.partition("://")[2]
    authority = _authority(rest)
    query = unquote(unquote(rest[len(authority) :])).replace("+", " ")
    names = re.findall(r"[?&;#=]\s*([^=&;?#]+?)\s*=", query)
    return ":" in authority.rpartition("@")[0] or any(map(_PASSWORD.search, names))


def without_credentials(text: str) -> str:
    """Return a text, a URL or a longer one, with every URL as it may be known: no user, no password, no signature.

    Of all but object stores, files and the sample, the query and what follows it go as a whole: that is where tokens
    stand, under names that no list knows all of. What was fetched is told by its sha256.
    """
    return "".join(_pieces(text)) if ":" in text else text


def params_without_credentials(params: Any) -> Any:
    """Return parameters (mappings, lists, values) with every text as it may be known, also one that is no good URL."""
    if isinstance(params, dict):
        return {params_without_credentials(key): params_without_credentials(value) for key, value in params.items()}
    if isinstance(params, list | tuple):
        return [params_without_credentials(value) for value in params]
    return _shown_value(params) if isinstance(params, str) else params


def _check_link(link: str) -> None:
    """Raise LayoutError where user, host and path cannot be told apart."""
    scheme, found, rest = link.partition("://")
    kinds = _kinds(scheme)
    if kinds & PATHS:
        return
    authority = _authority(rest)
    if not found or re.search(r"\s", scheme) or (kinds & REMOTE and not authority):
        raise LayoutError("begins like a URL and is none: write it as scheme://host/path.")
    if re.search(r"[\s\"<>`\\]", authority) or _is_doubtful(kinds, rest):
        raise LayoutError(
            "does not tell where a password ends and the host begins: write / ? # @ and blanks in a password as %2F "
            "%3F %23 %40 %20, and an @ in the path as %40."
        )


def _pieces(text: str) -> Iterator[str]:
    """Yield a text piece by piece, each URL as it may be known."""
    place = end = 0
    while match := _URL.search(text, place):
        yield text[place : match.start()]
        if match.end() >= end:
            ends = _ENDS.get(text[match.start() - 1 : match.start()], _END).search(text, match.end())
            end = ends.start() if ends else len(text)
        follower = _URL.search(text, match.end(), end)
        place = follower.start() if follower else match.end() + len(text[match.end() : end].rstrip(_PUNCTUATION))
        url = text[match.end() : place]
        links = _LINKS.search(url) if follower else None
        url, chained = (url[: links.start()], links[0]) if links else (url, "")
        shown = _shown(match[1] if match[2] is None else match[2], url)
        if follower and not links and not shown.endswith(url[-1:]):
            place = end  # it stands in a query that is not shown
        yield shown + chained
    yield text[place:]


def _shown_value(text: str) -> str:
    """Return a parameter; what begins as a URL is read as one to its end, blanks and line breaks included."""
    one_piece = _CONTROL.sub("", text).strip()
    if whole := _WHOLE.match(one_piece):
        scheme, (first, *others) = whole[1] or whole[2] or "", _CHAIN.split(whole[3])
        shown = "::".join([_shown(scheme, first), *map(_shown_value, others)])
        return without_credentials(text if shown == f"{scheme}://{whole[3]}" else shown)
    if "://" not in one_piece and _WITHOUT_SCHEME.match(one_piece):
        return one_piece.rpartition("@")[2]
    return without_credentials(text)


def _shown(scheme: str, rest: str) -> str:
    kinds, authority = _kinds(scheme), _authority(rest)
    if _is_doubtful(kinds, rest):
        rest = rest.rpartition("@")[2]
        authority = _authority(rest)
    user, _, host = authority.rpartition("@")
    name, port = _port(host)
    if port and not port.isdigit() and not kinds & (PATHS | OBJECT_STORES):
        host = name
    container = f"{user.partition(':')[0]}@" if user and kinds & CONTAINERS else ""
    return f"{scheme}://{container}{host}{_without_settings(kinds, rest[len(authority) :])}"


def _without_settings(kinds: set[str], path: str) -> str:
    """Return what follows the host, without a query that may hold a secret."""
    found = _SETTINGS.search(path)
    if not found or kinds & PATHS:
        return path
    names = [unquote(name) for name in re.findall(r"[?#&;]([^=&;?#]+)=", path[found.start() :])]
    if kinds & CONTAINERS and not names:
        return path
    harmless = kinds & OBJECT_STORES and not any(map(_SECRET.search, names))
    return path if harmless else path[: found.start()]


def _is_doubtful(kinds: set[str], rest: str) -> bool:
    """Tell whether an @ in the path may be the one behind a password with a raw slash, question mark or hash."""
    authority = _authority(rest)
    path, (user, at, host) = rest[len(authority) :], authority.rpartition("@")
    name, port = _port(host)
    if "@" not in path or kinds & PATHS or not (port is not None or ":" in user):
        return False
    if kinds & OBJECT_STORES and not at and name == "arn":
        return False
    if port is not None and not port.isdigit():
        return True
    if not at and _is_machine(host):
        return False
    return "." not in name or "/" in path.rpartition("@")[2]


def _authority(rest: str) -> str:
    return re.split(r"[/?#\\]", rest, maxsplit=1)[0]


def _port(host: str) -> tuple[str, str | None]:
    """Return the name and what follows its colon, None without one; colons of an IPv6 address are none."""
    address = host.rpartition("]")[0]
    name, colon, port = host[len(address) :].partition(":")
    return address + name, port if colon else None


def _is_machine(host: str) -> bool:
    """Tell whether a host is an address, or this machine: no name of a user looks like it."""
    name = _port(host)[0].strip("[]")
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return name.lower() == "localhost"
    return True


def _kinds(scheme: str) -> set[str]:
    return set(scheme.strip().lower().split("+"))
