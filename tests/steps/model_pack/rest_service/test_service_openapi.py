"""The description at /docs.json is true, and nothing that follows it, or almost does, makes the service fail."""

from collections import Counter

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
    unsupported_method,
)
from starlette.testclient import TestClient

from benchmarks.mutated_requests import mutated_requests

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
    unsupported_method,
]


@pytest.fixture(scope="module")
def described(client: TestClient) -> schemathesis.BaseSchema:
    return schemathesis.openapi.from_asgi("/docs.json", client.app)


POSTED = ["/predict", "/predict_batch", "/predict_image"]
READ = ["/test_result", "/categories", "/readyz", "/metrics", "/test_data"]


@pytest.mark.parametrize("path", POSTED)
@pytest.mark.parametrize("mode", list(GenerationMode))
def test_every_answer_is_one_that_the_description_promises(
    described: schemathesis.BaseSchema, path: str, mode: GenerationMode
) -> None:
    operation = described[path]["POST"]

    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True, database=None)
    @given(case=operation.as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        seen.append(case.call_and_validate(checks=CHECKS).status_code)

    seen: list[int] = []
    ask()
    assert len(seen) >= 60
    assert {status // 100 for status in seen} <= {2, 4}


@pytest.mark.parametrize("path", READ)
def test_what_is_read_is_as_described(described: schemathesis.BaseSchema, path: str) -> None:
    answer = described[path]["GET"].Case().call_and_validate(checks=CHECKS)
    assert answer.status_code == 200


def test_the_description_names_every_route_and_no_other(client: TestClient) -> None:
    document = client.get("/docs.json").json()
    for path, methods in document["paths"].items():
        for method in ("get", "post", "put", "delete"):
            status = client.request(method.upper(), path).status_code
            assert (status == 405) == (method not in methods), f"{method} {path} gave {status}"
    found = {path: sorted(methods) for path, methods in document["paths"].items()}
    assert set(found) == {
        *("/", "/predict", "/predict_batch", "/predict_image", "/test_data", "/test_result", "/service_version"),
        *("/categories", "/healthz", "/livez", "/readyz", "/metrics", "/docs.json"),
    }
    assert found["/test_data"] == ["get", "post"]


def test_mutated_requests_are_answered_and_never_with_a_fault_of_ours(client: TestClient) -> None:
    statuses: Counter[int] = Counter()
    for request in mutated_requests(400, seed=5):
        head, body = request.split(b"\r\n\r\n", 1)
        first, *lines = head.decode("latin-1").split("\r\n")
        method, target, _ = first.split(" ")
        headers = dict(line.split(": ", 1) for line in lines[1:] if not line.startswith("Content-Length"))
        answer = client.request(method, f"http://service{target}", content=body, headers=headers)
        statuses[answer.status_code] += 1
        if answer.status_code >= 400:
            assert set(answer.json()["error"]) == {"code", "message"}
        assert answer.status_code < 500, (request[:300], answer.text)
    assert statuses[200] > 40
    assert statuses[400] > 40


def test_the_same_seed_gives_the_same_requests() -> None:
    assert list(mutated_requests(50, seed=1)) == list(mutated_requests(50, seed=1))
    assert list(mutated_requests(50, seed=1)) != list(mutated_requests(50, seed=2))
