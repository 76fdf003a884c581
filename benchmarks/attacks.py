"""What others notice while a stranger attacks the service; run by `soak.py --attack`."""

import asyncio
import io
import struct
import time
import zlib
from dataclasses import dataclass

import numpy as np
from PIL import Image

from benchmarks.http_load import post_request, read_answer
from benchmarks.serve import photograph
from benchmarks.table import Target, render, say

FORM = "multipart/form-data; boundary=cut"
SLOWER = 3.0
"""What the p99 of others may be of what it is when nobody attacks."""
LIVE_SECONDS = 1.0
_SECONDS = 8.0
_GAP = 0.25
"""Seconds between two requests of others: they leave the service half idle."""


@dataclass(frozen=True)
class Noticed:
    """Seconds of the others' requests: the 99th percentile of predictions, and the slowest probe."""

    predict: float
    live: float


def attacks() -> dict[str, tuple[bytes, str]]:
    """Return the attacks: a body and its media type each, larger than 100 kB and smaller than the service's limit."""
    jpeg, png = io.BytesIO(), io.BytesIO()
    picture = Image.new("RGB", (7000, 7000), (30, 90, 60))
    picture.save(jpeg, "JPEG", progressive=True)
    Image.new("RGB", (64, 64)).save(png, "PNG")
    scans, start = jpeg.getvalue(), jpeg.getvalue().rindex(b"\xff\xda")
    head = png.getvalue()[:33]
    text = _chunk(b"zTXt", b"a\0\0" + zlib.compress(bytes(100_000_000), 9))
    surplus = zlib.compress(np.random.default_rng(1).bytes(300_000) + bytes(1_000_000_000), 9)
    field = b'--cut\r\nContent-Disposition: form-data; name="file_name"\r\n\r\n' + b"-" * 900_000 + b"\r\n--cut--\r\n"
    return {
        "scans of a JPEG": (scans[:-2] + scans[start:-2] * 2000 + b"\xff\xd9", "image/jpeg"),
        "fill bytes of a JPEG": (scans[:2] + b"\xff" * 30_000_000 + scans[2:], "image/jpeg"),
        "packed text of a PNG": (head + text * 20 + png.getvalue()[33:], "image/png"),
        "surplus pixels of a PNG": (head + _chunk(b"IDAT", surplus) + _chunk(b"IEND", b""), "image/png"),
        "punycode": (field, f"{FORM}; charset=punycode"),
        "half boundaries": (b"\r\n--cut\r" * 3_000_000, FORM),
    }


def measure_attacks(address: str) -> list[Target]:
    """Attack the service at `address` over two connections, in turn; print and return the figures."""
    quiet = asyncio.run(_notice(address, None))
    rows = [["nobody", f"{quiet.predict * 1000:.0f}", f"{quiet.live * 1000:.0f}"]]
    targets = []
    for name, (body, kind) in attacks().items():
        found = asyncio.run(_notice(address, post_request(f"{address}/predict", body, kind=kind)))
        rows.append([name, f"{found.predict * 1000:.0f}", f"{found.live * 1000:.0f}"])
        targets.append(Target(f"{name}: p99 of others", found.predict / quiet.predict, at_most=SLOWER))
        targets.append(Target(f"{name}: seconds of the slowest /livez", found.live, at_most=LIVE_SECONDS))
    say(render(["attacked by", "p99 of /predict, ms", "slowest /livez, ms"], rows))
    return targets


async def _notice(address: str, attack: bytes | None) -> Noticed:
    end = time.perf_counter() + _SECONDS
    attackers = [asyncio.create_task(_repeat(address, attack, end)) for _ in range(2 if attack else 0)]
    ask = post_request(f"{address}/predict", photograph())
    probe = f"GET /livez HTTP/1.1\r\nHost: {address.removeprefix('http://')}\r\n\r\n".encode()
    predict, live = await asyncio.gather(_time(address, ask, end), _time(address, probe, end))
    await asyncio.gather(*attackers)
    return Noticed(float(np.percentile(predict, 99)), max(live))


async def _time(address: str, request: bytes, end: float) -> list[float]:
    """Return how long each of a series of requests took, from one connection, at a steady pace."""
    seconds = []
    while time.perf_counter() < end:
        start = time.perf_counter()
        await _ask(address, request)
        seconds.append(time.perf_counter() - start)
        await asyncio.sleep(max(0.0, _GAP - seconds[-1]))
    return seconds


async def _repeat(address: str, request: bytes | None, end: float) -> None:
    while request and time.perf_counter() < end:
        await _ask(address, request)


async def _ask(address: str, request: bytes) -> None:
    host, port = address.removeprefix("http://").rsplit(":", 1)
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        await read_answer(reader)
    except (OSError, asyncio.IncompleteReadError):
        pass  # an attacker's connection may be ended before its body is taken in
    finally:
        writer.close()


def _chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
