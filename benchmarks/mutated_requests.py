"""Requests that were good until something happened to them: the same seed gives the same requests."""

import io
import random
from collections.abc import Iterator

from PIL import Image

BOUNDARY = b"cut"
_KINDS = (
    b"image/jpeg",
    b"image/png",
    b"application/octet-stream",
    b"application/json",
    b"text/plain",
    b"application/x-www-form-urlencoded",
    b"multipart/form-data",
    b"multipart/form-data; boundary=" + BOUNDARY,
    b"",
)
_PATHS = (b"/predict", b"/predict", b"/predict", b"/predict_batch", b"/predict_image")
_QUERIES = (
    b"",
    b"?min_score=0.1",
    b"?min_score=%00",
    b"?min_score=1e400",
    b"?max_detections=2&classes=1",
    b"?max_detections=99999999999999999999",
    b"?classes=%ff%fe",
    b"?classes=,,",
    b"?file_name=%f0%9f%98%80",
    b"?file_name=..%2f..%2fetc%2fpasswd",
    b"?min_score",
    b"?&&=&%",
)
_OTHERS = (b"/categories", b"/test_result", b"/nowhere", b"/service_version", b"/docs.json", b"/%2e%2e/", b"/predict/")
_METHODS = (b"GET", b"PUT", b"DELETE", b"PATCH", b"OPTIONS", b"POST")


def mutated_requests(count: int, *, seed: int, host: bytes = b"service") -> Iterator[bytes]:
    """Give the bytes of `count` HTTP requests; framing is sound, so that each of them has an answer."""
    rng = random.Random(seed)  # noqa: S311 - for tests
    images = _images(rng)
    for _ in range(count):
        if rng.random() < 0.1:
            yield _request(rng.choice(_METHODS), rng.choice(_OTHERS), b"", rng.choice(_KINDS), host)
            continue
        data = _damaged(rng.choice(images), rng)
        kind = rng.choice(_KINDS)
        if kind.startswith(b"multipart") or rng.random() < 0.3:
            data = _form([data] * rng.choice((1, 1, 1, 2, 5)), rng)
            kind = rng.choice((_KINDS[-2], kind))
            if rng.random() < 0.4:
                data = _damaged(data, rng)
        yield _request(b"POST", rng.choice(_PATHS) + rng.choice(_QUERIES), data, kind, host)


def _request(method: bytes, path: bytes, body: bytes, kind: bytes, host: bytes) -> bytes:
    head = [method + b" " + path + b" HTTP/1.1", b"Host: " + host, b"Content-Length: %d" % len(body)]
    if kind:
        head.append(b"Content-Type: " + kind)
    return b"\r\n".join([*head, b"", body])


def _images(rng: random.Random) -> list[bytes]:
    small = Image.frombytes("RGB", (24, 18), rng.randbytes(24 * 18 * 3)).resize((96, 72))
    files = []
    for kind in ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF"):
        file = io.BytesIO()
        small.save(file, kind)
        files.append(file.getvalue())
    return [*files, b"", b"{}", b"http://127.0.0.1:1/", b"\xff\xd8" + b"\xff\xe0\x00\x02" * 3000]


def _damaged(data: bytes, rng: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(rng.choice((0, 1, 1, 4, 30))):
        if not changed:
            break
        # The first bytes matter most: headers lie there.
        place = min(rng.randrange(len(changed)), rng.randrange(len(changed)))
        kind = rng.randrange(4)
        if kind == 0:
            changed[place] = rng.randrange(256)
        elif kind == 1:
            changed[place : place + 4] = rng.choice((b"\xff\xff\xff\xff", b"\0\0\0\0", b"\x7f\xff\xff\xff"))
        elif kind == 2:
            del changed[place : place + rng.randrange(1, 40)]
        else:
            changed[place:place] = rng.randbytes(rng.randrange(1, 20))
    return bytes(changed[: rng.randrange(len(changed) + 1)]) if rng.random() < 0.1 else bytes(changed)


def _form(files: list[bytes], rng: random.Random) -> bytes:
    parts = []
    for data in files:
        field = rng.choice((b"image", b"image", b"images", b"photo", b"\xff", b""))
        name = rng.choice((b'; filename="a.jpg"', b'; filename=""', b"", b'; filename="\xff\r"'))
        parts.append(
            b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (BOUNDARY, field, name, data)
        )
    if rng.random() < 0.3:
        parts.append(b'--%s\r\nContent-Disposition: form-data; name="min_score"\r\n\r\n0.5\r\n' % BOUNDARY)
    return b"".join(parts) + b"--" + BOUNDARY + b"--\r\n"
