"""Requests to this machine itself: no proxy of the environment is asked for them, or sees them.

with open_directly("http://127.0.0.1:3000/readyz", timeout=2) as answer: ...
with web_session() as session: session.get(url)     # a proxy, if there is one, for other hosts only
pass_proxies_by()     # the same for what reads the environment itself: drivers of object stores, child processes
"""

import ipaddress
import os
import socket
import urllib.request
from collections.abc import Mapping
from http.client import HTTPResponse
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import urlsplit

if TYPE_CHECKING:
    import requests

_HERE = ("localhost", "127.0.0.1", "::1")


def is_loopback(url: str) -> bool:
    """Tell whether a URL leads to this machine: localhost, 127.0.0.0/8, ::1, and 0.0.0.0, which connects to it."""
    try:
        host = (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:  # no address between its brackets
        return False
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return _is_short_loopback(host)
    mapped = getattr(address, "ipv4_mapped", None)
    return any(one.is_loopback or one.is_unspecified for one in (address, mapped) if one)


def without_proxy(environ: Mapping[str, str]) -> dict[str, str]:
    """Return an environment in which a proxy, if there is one, is for other hosts only."""
    known = environ.get("no_proxy") or environ.get("NO_PROXY") or ""
    if known.strip() == "*" or not any(name.lower().endswith("_proxy") for name in environ):
        return dict(environ)
    named = [name.strip() for name in known.split(",") if name.strip()]
    told = ",".join([*named, *(name for name in _HERE if name not in named)])
    return {**environ, "no_proxy": told, "NO_PROXY": told}


def pass_proxies_by() -> None:
    """Let drivers of object stores, which read the environment themselves, reach this machine without a proxy."""
    os.environ.update(without_proxy(os.environ))


def open_directly(url: str, *, timeout: float) -> HTTPResponse:
    """Open a URL of a server of our own without asking a proxy. Raises as urllib's urlopen."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    return cast(HTTPResponse, opener.open(url, timeout=timeout))


def web_session() -> "requests.Session":
    """Return a session of requests that asks this machine, also after a redirect, without a proxy."""
    import requests

    class Session(requests.Session):
        def send(self, request: requests.PreparedRequest, **kwargs: Any) -> requests.Response:
            return super().send(request, **kwargs | ({"proxies": {}} if is_loopback(request.url or "") else {}))

    return Session()


def _is_short_loopback(host: str) -> bool:
    """Tell whether a host is written as 127.1, as a number or the like, which the system takes for an address."""
    if not host[:1].isdigit():
        return False
    try:
        return socket.inet_aton(host)[0] in {0, 127}
    except OSError:
        return False
