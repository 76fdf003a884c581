"""Who may come in: a token, a rate for each client, pages of other origins; and what is logged and counted."""

import logging
from pathlib import Path

import pytest
from starlette.testclient import TestClient

from rest_service.middleware import RateLimit
from rest_service.settings import ServiceSettings
from service_cases import open_service

KEY = "tail-of-a-long-key"


@pytest.fixture(scope="module")
def locked(service_folder: Path) -> TestClient:
    return open_service(service_folder, ServiceSettings(token=KEY))


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer x", f"Basic {KEY}", f"Bearer {KEY}x", KEY])
def test_without_the_token_nothing_but_the_page_and_the_probes_answers(locked: TestClient, header: str) -> None:
    headers = {"Authorization": header} if header else {}
    for method, path in (("POST", "/predict"), ("GET", "/test_data"), ("GET", "/metrics"), ("GET", "/nowhere")):
        answer = locked.request(method, path, headers=headers)
        assert (answer.status_code, answer.json()["error"]["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"
        assert KEY not in answer.text
    assert {locked.get(path).status_code for path in ("/", "/healthz", "/livez", "/readyz")} == {200}


@pytest.mark.parametrize("scheme", ["Bearer", "bearer"])
def test_the_token_opens_and_the_description_names_it(locked: TestClient, scheme: str) -> None:
    headers = {"Authorization": f"{scheme} {KEY}"}
    assert locked.get("/categories", headers=headers).status_code == 200
    document = locked.get("/docs.json", headers=headers).json()
    assert document["security"] == [{"bearer": []}]


def test_a_client_that_asks_too_often_is_told_when_to_come_back(service_folder: Path) -> None:
    client = open_service(service_folder, ServiceSettings(rate=0.5))
    answers = [client.get("/categories") for _ in range(3)]
    assert [one.status_code for one in answers] == [200, 429, 429]
    assert answers[1].json()["error"]["code"] == "too_many_requests"
    assert answers[1].headers["retry-after"] == "2"
    assert client.get("/healthz").status_code == 200


def test_a_bucket_fills_again_and_clients_do_not_share_one() -> None:
    limit = RateLimit(2.0)
    assert [limit.ask("a", now=0.0) for _ in range(5)] == [0, 0, 0, 0, 1]
    assert limit.ask("b", now=0.0) == 0
    assert [limit.ask("a", now=0.6), limit.ask("a", now=0.6)] == [0, 1]
    assert [limit.ask("a", now=1000.0) for _ in range(5)] == [0, 0, 0, 0, 1]


def test_a_million_clients_do_not_fill_the_memory() -> None:
    limit = RateLimit(1.0)
    for number in range(30_000):
        limit.ask(str(number), now=0.0)
    assert len(limit._buckets) == 10_000


def test_pages_of_other_origins_may_not_call_unless_they_are_named(service_folder: Path) -> None:
    origin = {"Origin": "https://a.example"}
    closed = open_service(service_folder)
    assert "access-control-allow-origin" not in closed.get("/categories", headers=origin).headers
    named = open_service(service_folder, ServiceSettings(cors_origins=("https://a.example",), token=KEY))
    # Also an error can be read by the page that is allowed to ask.
    refused = named.post("/predict", headers=origin)
    assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, "https://a.example")
    assert "access-control-allow-origin" not in named.get("/", headers={"Origin": "https://b.example"}).headers
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "authorization"}
    flight = named.options("/predict", headers=origin | asked)
    assert (flight.status_code, flight.headers["access-control-allow-origin"]) == (200, "https://a.example")


def test_every_request_but_a_probe_has_one_line_in_the_log(
    service_folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    client = open_service(service_folder)
    with caplog.at_level(logging.INFO, logger="bentoml.requests"):
        client.get("/categories")
        client.get("/readyz")
        client.get("/a%0d%0aforged line")
    lines = [record.getMessage() for record in caplog.records if record.name == "bentoml.requests"]
    assert [line.rsplit(" ", 2)[0] for line in lines] == ["GET '/categories' 200", "GET '/a\\r\\nforged line' 404"]


def test_every_accepted_request_is_counted_as_answered(service_folder: Path) -> None:
    client = open_service(service_folder)
    for path in ("/categories", "/nowhere", "/test_data"):
        client.get(path)
    client.post("/predict", content=b"x")
    middleware = client.app.middleware
    assert (middleware.begun, middleware.ended) == (4, 4)
