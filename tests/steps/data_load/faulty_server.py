"""A local HTTP server whose answers are scripted, faults included."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

Answer = Callable[[BaseHTTPRequestHandler], None]


@dataclass
class FaultyServer:
    """Answers each path with its scripted answers in turn, the last one for ever; keeps the headers it was sent."""

    url: str = ""
    answers: dict[str, list[Answer]] = field(default_factory=dict)
    asked: list[dict[str, str]] = field(default_factory=list)

    def serve(self, path: str, *answers: Answer) -> str:
        """Script a path; returns its URL."""
        self.answers[path] = list(answers)
        return self.url + path


def whole(body: bytes, *, etag: str | None = '"v1"', content_type: str = "application/octet-stream") -> Answer:
    """The full body, or the rest of it when a range of this version is asked for."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = _asked_start(handler) if handler.headers.get("If-Range") == etag else 0
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if etag:
            handler.send_header("ETag", etag)
        handler.send_header("Content-Type", content_type)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        handler.wfile.write(body[start:])

    return answer


def cut(body: bytes, *, sent: int, etag: str | None = '"v1"') -> Answer:
    """As `whole`, but the connection breaks after `sent` bytes."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        start = _asked_start(handler) if handler.headers.get("If-Range") == etag else 0
        handler.send_response(206 if start else 200)
        if start:
            handler.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        if etag:
            handler.send_header("ETag", etag)
        handler.send_header("Content-Length", str(len(body) - start))
        handler.end_headers()
        handler.wfile.write(body[start : start + sent])

    return answer


def ignores_range(body: bytes, *, etag: str) -> Answer:
    """Always the full body with status 200."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.send_header("ETag", etag)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


def status(code: int, *, body: bytes = b"", headers: dict[str, str] | None = None) -> Answer:
    """A bare status."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(code)
        for name, value in (headers or {}).items():
            handler.send_header(name, value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return answer


@contextmanager
def running() -> Iterator[FaultyServer]:
    """The server, on a free port of the loopback."""
    server = FaultyServer()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            server.asked.append(dict(self.headers.items()))
            answers = server.answers.get(self.path.partition("?")[0], [status(404, body=b"<html>no</html>")])
            (answers.pop(0) if len(answers) > 1 else answers[0])(self)

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


def _asked_start(handler: BaseHTTPRequestHandler) -> int:
    asked = handler.headers.get("Range", "")
    return int(asked.removeprefix("bytes=").partition("-")[0]) if asked else 0
