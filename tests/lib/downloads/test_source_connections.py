"""Several connections bring one file: each byte once, of one version, or one connection brings it all."""

import random
import threading
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from download_cases import BODY, SHA256, Patience, asked_ranges, obtain
from faulty_server import Answer, FaultyServer, asked_span, cut, ignores_range, status, whole

OTHER = BODY[::-1]


@pytest.fixture(autouse=True)
def _small_segments(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sinara_lib.downloads.partial.SEGMENT", 50_000)


def test_parts_cover_the_file_once_and_are_asked_for_at_the_same_time(server: FaultyServer, tmp_path: Path) -> None:
    together = threading.Barrier(3, timeout=10)
    body = whole(BODY)

    def meet(handler: BaseHTTPRequestHandler) -> None:
        together.wait()
        body(handler)

    url = server.serve("/data.zip", body, meet, meet, meet, body)

    assert obtain(url, tmp_path, connections=3).origin.sha256 == SHA256
    ranges = asked_ranges(server.asked)
    assert len(ranges) == 12
    assert [start for start, _ in ranges] == [0, *(end + 1 for _, end in ranges[:-1])]
    assert ranges[-1][1] == len(BODY) - 1


def test_a_part_that_broke_off_asks_only_for_what_it_lacks(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(BODY), cut(BODY, sent=20_000), whole(BODY))

    assert obtain(url, tmp_path, connections=2).origin.sha256 == SHA256
    ranges = asked_ranges(server.asked)
    assert len(ranges) == 9
    assert sum(end - start + 1 for start, end in ranges) <= len(BODY) + 87_500


def test_a_503_for_one_part_is_waited_for(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", whole(BODY), whole(BODY), status(503, headers={"Retry-After": "2"}), whole(BODY))

    assert obtain(url, tmp_path, connections=2).origin.sha256 == SHA256


def _careless(body: bytes, etag: str) -> Answer:
    """A part of whatever is there now, without a look at If-Range."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "Range" not in handler.headers:
            whole(body, etag=etag)(handler)
            return
        start, end = asked_span(handler, len(body))
        span = {"Content-Range": f"bytes {start}-{end - 1}/{len(body)}", "ETag": etag}
        status(206, body=body[start:end], headers=span)(handler)

    return answer


def _refuses_parts(body: bytes, etag: str) -> Answer:
    """Status 416 for every part."""

    def answer(handler: BaseHTTPRequestHandler) -> None:
        (status(416) if "Range" in handler.headers else whole(body, etag=etag))(handler)

    return answer


@pytest.mark.parametrize(
    "later",
    [
        pytest.param([whole(OTHER, etag='"v2"')], id="the server sends the new file whole"),
        pytest.param([_careless(OTHER, '"v2"')], id="the server sends its parts"),
        pytest.param([_careless(OTHER + b"x", '"v1"')], id="the server keeps the mark, but the length tells"),
    ],
)
def test_a_file_that_changes_between_two_parts_is_fetched_anew(
    later: list[Answer], server: FaultyServer, tmp_path: Path
) -> None:
    url = server.serve("/data.zip", whole(BODY), whole(BODY), *later)

    source = obtain(url, tmp_path, connections=2)

    assert source.path.read_bytes().removesuffix(b"x") == OTHER


def test_a_first_part_that_comes_last_is_of_the_same_version(server: FaultyServer, tmp_path: Path) -> None:
    rest = threading.Semaphore(0)

    def answer(handler: BaseHTTPRequestHandler) -> None:
        if "Range" not in handler.headers:
            whole(BODY if not later else OTHER, etag=later[0] if later else '"v1"')(handler)
        elif asked_span(handler, len(BODY))[0]:
            whole(BODY)(handler)
            rest.release()
        elif all(rest.acquire(timeout=10) for _ in range(7)):
            later.append('"v2"')
            whole(OTHER, etag='"v2"')(handler)

    later: list[str] = []
    url = server.serve("/data.zip", answer)

    assert obtain(url, tmp_path, connections=2).path.read_bytes() == OTHER


@pytest.mark.parametrize("seed", range(12))
def test_whatever_goes_wrong_the_bytes_are_those_of_one_version(
    seed: int, server: FaultyServer, tmp_path: Path
) -> None:
    rng = random.Random(seed)
    faults: list[Answer] = []
    for version in (1, 2):
        body, etag = (BODY, '"v1"') if version == 1 else (OTHER, '"v2"')
        good = whole(body, etag=etag)
        bad = [
            whole(body, etag=etag, sent=rng.randrange(90_000)),
            status(503),
            _refuses_parts(body, etag),
            ignores_range(body, etag=etag),
            _careless(body, etag),
        ]
        faults += [rng.choice([good, good, *bad]) for _ in range(rng.randrange(30))]
    url = server.serve("/data.zip", *faults, whole(OTHER, etag='"v2"'))

    source = obtain(url, tmp_path, connections=rng.randint(1, 5), retry=Patience(attempts=20).policy)

    assert (source.origin.etag, source.path.read_bytes()) in {('"v1"', BODY), ('"v2"', OTHER)}


def test_a_server_that_sends_no_parts_although_it_says_so_is_asked_once_more(
    server: FaultyServer, tmp_path: Path
) -> None:
    url = server.serve("/data.zip", ignores_range(BODY, etag='"v1"'))

    assert obtain(url, tmp_path, connections=4).origin.sha256 == SHA256
    assert "Range" not in server.asked[-1]


def test_marks_that_differ_from_answer_to_answer_end_with_one_connection(server: FaultyServer, tmp_path: Path) -> None:
    machines = [whole(BODY, etag=f'"machine-{number % 3}"') for number in range(20)]
    url = server.serve("/data.zip", *machines)

    assert obtain(url, tmp_path, connections=4).origin.sha256 == SHA256


def test_without_parts_there_is_one_connection(server: FaultyServer, tmp_path: Path) -> None:
    url = server.serve("/data.zip", status(200, body=BODY, headers={"ETag": '"v1"'}))

    assert obtain(url, tmp_path, connections=4).origin.sha256 == SHA256
    assert len(server.asked) == 1
