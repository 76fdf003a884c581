"""A local HTTP server whose answers are scripted, faults included."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Answer = Callable[[BaseHTTPRequestHandler], None]
ETAG = '"v1"'


@dataclass
class FaultyServer:
    """Answers each path with its scripted answers in turn, the last one for ever; keeps the headers it was sent."""

    url: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def serve(self, path: str, *answers: Answer) -> str:
        """Script a path; returns its URL."""
        self.answers[path] = list(answers)
        return self.url + path

    def next_answer(self, path: str) -> Answer:
        """The answer whose turn it is."""
        with self.lock:
            answers = self.answers.get(path.partition("?")[0], [status(404, body=b"<html>no</html>")])
            return answers.pop(0) if len(answers) > 1 else answers[0]


def whole(
    body: bytes,
    *,
    etag: str | None = ETAG,
    content_type: str = "application/octet-stream",
    headers: dict[str, str] | None = None,
    sent: int | None = None,
    stall: threading.Event | None = None,
) -> Answer:
    """The full body, the part of this version that is asked for, or 304 when the caller has this version.

    After `sent` bytes the connection breaks, or stays silent until the event `stall`.
    """

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if etag and handler.headers.get("If-None-Match") == etag:
            _head(handler, 304, {"ETag": etag})
            return
        start, end = asked_span(handler, len(body)) if handler.headers.get("If-Range") == etag else (0, len(body))
        ranged = "Range" in handler.headers and handler.headers.get("If-Range") == etag
        page = {"Content-Type": content_type, "Content-Length": str(end - start), **(headers or {})}
        if ranged:
            page["Content-Range"] = f"bytes {start}-{end - 1}/{len(body)}"
        if etag:
            page |= {"ETag": etag, "Accept-Ranges": "bytes"}
        _head(handler, 206 if ranged else 200, page)
        handler.wfile.write(body[start : end if sent is None else min(end, start + sent)])
        if stall:
            handler.wfile.flush()
            stall.wait(20)

    return answer


def cut(body: bytes, *, sent: int, etag: str | None = ETAG) -> Answer:
    """As `whole`, but the connection breaks after `sent` bytes."""
    return whole(body, etag=etag, sent=sent)


def ignores_range(body: bytes, *, etag: str) -> Answer:
    """Always the full body with status 200."""
    return status(200, body=body, headers={"ETag": etag, "Accept-Ranges": "bytes"})


def chunked(body: bytes, *, sent: int | None = None, etag: str = ETAG) -> Answer:
    """The full body in chunks, without its length; after `sent` bytes the connection breaks."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.protocol_version = "HTTP/1.1"
        _head(handler, 200, {"Transfer-Encoding": "chunked", "ETag": etag, "Connection": "close"})
        told = body if sent is None else body[:sent]
        for start in range(0, len(told), 50_000):
            piece = told[start : start + 50_000]
            handler.wfile.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
        if sent is None:
            handler.wfile.write(b"0\r\n\r\n")
        handler.close_connection = True

    return answer


def status(code: int, *, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    """A bare status."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        _head(handler, code, {"Content-Length": str(len(body)), **(headers or {})})
        handler.wfile.write(body)

    return answer


@contextmanager
def running() -> Iterator[FaultyServer]:
    """The server, on a free port of the loopback."""
    server = FaultyServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(dict(self.headers.items()))
            try:
                server.next_answer(self.path)(self)
            except (BrokenPipeError, ConnectionResetError):
                self.close_connection = True  # the client has heard enough

        def log_message(self, format: str, *args: object) -> None:
            """Keep the test output clean."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.url = f"http://127.0.0.1:{http.server_port}"
    thread = Thread(target=http.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


def asked_span(handler: BaseHTTPRequestHandler, size: int) -> tuple[int, int]:
    """The first byte that is asked for, and the one after the last."""
    asked = handler.headers.get("Range", "").removeprefix("bytes=")
    start, _, end = asked.partition("-")
    return int(start or 0), int(end) + 1 if end else size


def _head(handler: BaseHTTPRequestHandler, code: int, headers: dict[str, str]) -> None:
    handler.send_response(code)
    for name, value in headers.items():
        handler.send_header(name, value)
    handler.end_headers()
