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

OBJECT_STORES = frozenset({"s3", "s3a", "gs", "gcs"})
"""What follows these is a bucket and a key, in which no sign has a meaning of its own."""
CONTAINERS = frozenset({"abfs", "abfss", "wasb", "wasbs"})
"""What stands before their @ is a container, no user."""
PATHS = frozenset({"file", "sample"})
"""Nothing in these is secret."""
REMOTE = OBJECT_STORES | CONTAINERS | {"http", "https", "ftp", "ftps"}

SHORTEST_SECRET = 5
"""Signs of a secret that is told from other texts wherever it stands alone."""

_SECRET = re.compile(
    r"pass|pwd|secret|token|sig|credential|auth|access|session|key|policy|expires|^(x|q)-|^s[evr]$", re.I
)
"""Names in the query of an object store that sign it, or give away who may read it."""

_SCHEME = r"[A-Za-z0-9+.-]*"
_NO_SLASHES = r"(https?|ftps?):[/\\]*(?=[^\s/@:]{0,99}:\S{0,200}@)"
_URL = re.compile(rf"(?<![A-Za-z0-9+.-])(?:({_SCHEME})://|{_NO_SLASHES})", re.IGNORECASE)
_WHOLE = re.compile(rf"(?:({_SCHEME})\s*:\s*/\s*/|{_NO_SLASHES})(.+)", re.IGNORECASE | re.DOTALL)
CHAIN = re.compile(rf"::(?={_SCHEME}(?:://|::))")
_LINKS = re.compile(r"(?:::[A-Za-z0-9+.-]*)+\Z")
_LONE_QUOTE = r"'(?=[\s,;:.)\]}]|\Z)"
_ENDS = {mark: re.compile(rf"\s|{end}") for mark, end in {'"': '"', "'": _LONE_QUOTE, "`": "`", "<": ">"}.items()}
_END = re.compile(rf"[\s\"<>`]|{_LONE_QUOTE}|\\[\"nrt]")
"""Where a URL ends: at a blank, or where the quotes close that it stands in."""
_BROKEN_OFF = re.compile(r"\s+[^\s@]*@\S*")
_PUNCTUATION = "\\.,;:!?)}"
CONTROL = re.compile(r"[\x00-\x1f\x7f]")
WITHOUT_SCHEME = re.compile(r"(?![A-Za-z]:[\\/])(?:[^\s/\\@:]+:[^@]+|//[^/@]+)@[^\s@/\\:]+(?:[/:]|$)")
_SETTINGS = re.compile(r"[?#]|;(?=[^;=/]+=)")


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


def credentials_in(params: Any) -> set[str]:
    """Return the passwords, tokens and signatures in the URLs of parameters, as they may stand in other texts."""
    if isinstance(params, dict | list | tuple):
        return set().union(*map(credentials_in, params.values() if isinstance(params, dict) else params))
    if not isinstance(params, str) or params_without_credentials(params) == params:
        return set()
    before, at, _ = params.rpartition("://")[2].rpartition("@")
    user, colon, password = before.partition(":") if at else ("", "", "")
    found = {password if colon else user}
    if settings := _SETTINGS.search(params):
        query = params[settings.end() :]
        found |= {query, *(value for _, value in re.findall(r"([^=&;?#]+)=([^&;?#]*)", query))}
    pieces = {piece for one in found for piece in (one, unquote(one), *re.split(r"[\s/?#]+", one))}
    return {piece for piece in pieces if len(piece) >= SHORTEST_SECRET}


def hidden(text: str, credentials: set[str]) -> str:
    """Return a text without what `credentials_in` found, also where it stands without its URL."""
    text = without_credentials(text)
    for one in sorted(credentials, key=len, reverse=True):
        text = text.replace(one, "***")
    return text


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
        if not follower and _is_broken(text[match.end() : place]) and (rest := _BROKEN_OFF.match(text, place)):
            place = end = rest.end()
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
    one_piece = CONTROL.sub("", text).strip()
    if whole := _WHOLE.match(one_piece):
        scheme, (first, *others) = whole[1] or whole[2] or "", CHAIN.split(whole[3])
        shown = "::".join([_shown(scheme, first), *map(_shown_value, others)])
        return without_credentials(text if shown == f"{scheme}://{whole[3]}" else shown)
    if "://" not in one_piece and WITHOUT_SCHEME.match(one_piece):
        return one_piece.rpartition("@")[2]
    return without_credentials(text)


def _shown(scheme: str, rest: str) -> str:
    kinds, authority = kinds_of(scheme), authority_of(rest)
    if is_doubtful(kinds, rest):
        rest = rest.rpartition("@")[2]
        authority = authority_of(rest)
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


def _is_broken(url: str) -> bool:
    """Tell whether a URL ends within what seems a password: behind the colon stands no port."""
    port = _port(url)[1]
    return authority_of(url) == url and "@" not in url and port is not None and not port.isdigit()


def is_doubtful(kinds: set[str], rest: str) -> bool:
    """Tell whether an @ in the path may be the one behind a password with a raw slash, question mark or hash."""
    authority = authority_of(rest)
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


def authority_of(rest: str) -> str:
    """Return what stands between :// and the path: host, port, and user and password where they are readable."""
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


def kinds_of(scheme: str) -> set[str]:
    """Return the parts of a scheme in small letters: postgresql and psycopg."""
    return set(scheme.strip().lower().split("+"))
