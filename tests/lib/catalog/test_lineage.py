"""Lineage: back to raw data, forward to everything made from it, as a tree and as JSON."""

import json
from datetime import datetime, timezone

import pytest

from lineage_cases import History
from sinara_lib.catalog.find import Target
from sinara_lib.catalog.lineage import Lineage, Node, trace
from sinara_lib.catalog.lineage_reading import read_lineage
from sinara_lib.errors import ArtifactNotFoundError
from sinara_lib.layout import RunAddress
from sinara_lib.store import ArtifactStore, store_at
from sinara_lib.store.manifest import MANIFEST_FILE, RUN_FILE, Manifest, Producer, RunStatus, Source

WHEN = datetime(2026, 11, 21, 2, tzinfo=timezone.utc)
ZIP = Source(
    url="https://host/val.zip",
    sha256="ab" * 32,
    bytes=7,
    etag='"v1"',
    last_modified="Mon, 01 Jan 2024 00:00:00 GMT",
    fetched=WHEN,
)


@pytest.fixture
def loaded(history: History) -> RunAddress:
    """A run of data_load that read raw data."""
    return history.run("data_load", "images", "labels", sources=[ZIP])


@pytest.fixture
def prepared(history: History, loaded: RunAddress) -> RunAddress:
    """A run of data_prep that read both."""
    return history.run("data_prep", "train", inputs=[history.url(loaded, "images"), history.url(loaded, "labels")])


def _of(history: History, run: RunAddress, entity: str | None = None, **stores: ArtifactStore) -> Lineage:
    target = Target(history.store, run.entity(entity) if entity else run)
    return read_lineage([target], history.catalog(**stores))


def _edges(lineage: Lineage) -> set[tuple[str, str]]:
    return {tuple(key[0].rsplit("/", 1)[-1] for key in edge) for edge in lineage.edges}  # type: ignore[misc]


def test_an_entity_leads_back_to_raw_urls_and_forward_to_what_was_made(
    history: History, loaded: RunAddress, prepared: RunAddress
) -> None:
    model = history.run("model_train", "model", inputs=[history.url(prepared, "train")])
    history.run("data_prep", "other", inputs=["https://host/other.zip"])
    assert _edges(_of(history, prepared, "train")) == {
        ("val.zip", "images"),
        ("val.zip", "labels"),
        ("images", "train"),
        ("labels", "train"),
        ("train", "model"),
    }
    assert _edges(_of(history, loaded, "labels")) == {("val.zip", "labels"), ("labels", "train"), ("train", "model")}
    assert _edges(_of(history, model, "model")) == _edges(_of(history, prepared, "train"))


def test_the_page_has_checksum_version_and_date_of_what_was_downloaded_and_the_code_of_what_was_made(
    history: History, loaded: RunAddress
) -> None:
    page = json.loads(json.dumps(_of(history, loaded, "images").page()))
    url = history.url(loaded, "images")
    assert page["format"] == 1
    assert page["targets"] == [url]
    assert page["edges"] == [{"from": ZIP.url, "sha256": ZIP.sha256, "to": url}]
    entity, raw = page["nodes"]
    assert raw == {
        "url": ZIP.url,
        "kind": "raw",
        "state": "present",
        "made": "2026-11-21T02:00:00+00:00",
        "sha256": ZIP.sha256,
        "bytes": 7,
        "etag": '"v1"',
        "last_modified": "Mon, 01 Jan 2024 00:00:00 GMT",
        "origin": None,
        "commit": None,
        "uncommitted": None,
        "library": None,
    }
    manifest = history.store.open(loaded.entity("images")).manifest
    assert {key: entity[key] for key in ("url", "kind", "state", "sha256", "bytes", "commit", "library")} == {
        "url": url,
        "kind": "entity",
        "state": "present",
        "sha256": manifest.content,
        "bytes": manifest.bytes,
        "commit": "0123456789abcdef",
        "library": "sinara_lib 1",
    }


def test_the_tree_shows_both_ways_and_a_shared_branch_once(
    history: History, loaded: RunAddress, prepared: RunAddress
) -> None:
    model = history.run("model_train", "model", inputs=[history.url(prepared, "train"), history.url(loaded, "labels")])
    lines = [line.split("  (")[0] for line in _of(history, model).lines()]
    images, labels, train = (
        history.url(r, n) for r, n in ((loaded, "images"), (loaded, "labels"), (prepared, "train"))
    )
    assert lines == [
        history.url(model, "model"),
        "  made from",
        f"    {train}",
        f"      {images}",
        f"        {ZIP.url}",
        f"      {labels}",
        f"        {ZIP.url}",
        f"    {labels}",
        "  used by: nothing that is known",
    ]
    full = list(_of(history, model).lines())
    assert full[7].endswith("(its branch is shown above)")
    assert (
        '(sha256 abababababababab, ETag "v1", of Mon, 01 Jan 2024 00:00:00 GMT, fetched 2026-11-21 02:00:00' in full[4]
    )
    assert "commit 0123456789ab" in full[0]


def test_one_way_can_be_asked(history: History, loaded: RunAddress, prepared: RunAddress) -> None:
    target = [Target(history.store, prepared.entity("train"))]
    history.run("model_train", "model", inputs=[history.url(prepared, "train")])
    back = read_lineage(target, history.catalog(), forward=False)
    assert _edges(back) == {("val.zip", "images"), ("val.zip", "labels"), ("images", "train"), ("labels", "train")}
    forward = read_lineage(target, history.catalog(), back=False)
    assert _edges(forward) == {("train", "model")}
    assert [line.strip() for line in forward.lines(back=False)][1] == "used by"


def test_a_run_stands_for_all_it_published(history: History, loaded: RunAddress) -> None:
    lineage = _of(history, loaded)
    assert lineage.targets == (history.url(loaded, "images"), history.url(loaded, "labels"))


def test_a_change_of_a_raw_file_is_another_node(history: History, loaded: RunAddress) -> None:
    changed = history.run("data_load", "images", sources=[ZIP.model_copy(update={"sha256": "cd" * 32, "etag": '"v2"'})])
    both = [history.url(loaded, "images"), history.url(changed, "images")]
    prepared = history.run("data_prep", "train", inputs=both)
    lineage = _of(history, prepared)
    raw = {node.sha256: node.etag for node in lineage.nodes.values() if node.kind == "raw"}
    assert raw == {"ab" * 32: '"v1"', "cd" * 32: '"v2"'}
    assert {(e["sha256"], e["to"]) for e in lineage.page()["edges"] if e["sha256"]} == {
        ("ab" * 32, both[0]),
        ("cd" * 32, both[1]),
    }


def test_other_environments_are_searched_as_well(history: History, loaded: RunAddress, now: datetime) -> None:
    prod = store_at("memory://prod-of-lineage")
    made = history.run("data_prep", "train", inputs=[history.url(loaded, "images")], store=prod)
    try:
        assert _edges(_of(history, loaded, "images", prod=prod)) == {("val.zip", "images"), ("images", "train")}
        back = read_lineage([Target(prod, made)], history.catalog(), forward=False)
        assert _edges(back) == {("val.zip", "images"), ("images", "train")}
    finally:
        prod.fs.rm(prod.root, recursive=True)


def test_an_ancestor_that_was_collected_is_shown_as_missing(
    history: History, loaded: RunAddress, prepared: RunAddress
) -> None:
    history.store.fs.rm(f"{history.store.root}/{loaded.path}", recursive=True)
    lineage = _of(history, prepared, "train")
    states = {node.url: node.state for node in lineage.nodes.values()}
    assert states == {
        history.url(prepared, "train"): "present",
        history.url(loaded, "images"): "missing",
        history.url(loaded, "labels"): "missing",
    }
    assert f"    {history.url(loaded, 'images')}  (MISSING)" in list(lineage.lines())


def test_a_damaged_manifest_on_the_way_is_shown_and_does_not_end_the_search(
    history: History, loaded: RunAddress, prepared: RunAddress
) -> None:
    history.store.fs.pipe_file(f"{history.store.root}/{loaded.path}/images/{MANIFEST_FILE}", b"{")
    lineage = _of(history, prepared, "train")
    assert lineage.nodes[(history.url(loaded, "images"), None)].state == "unreadable"
    assert ("val.zip", "labels") in _edges(lineage)


def test_a_run_whose_record_is_damaged_is_found_by_its_manifests(
    history: History, loaded: RunAddress, prepared: RunAddress
) -> None:
    history.store.fs.pipe_file(f"{history.store.root}/{prepared.path}/{RUN_FILE}", b"{")
    assert ("images", "train") in _edges(_of(history, loaded, "images"))


def test_what_failed_runs_published_is_found_too(history: History, loaded: RunAddress) -> None:
    history.run("data_prep", "train", inputs=[history.url(loaded, "images")], status=RunStatus.FAILED)
    assert ("images", "train") in _edges(_of(history, loaded, "images"))


def test_a_target_that_is_not_there_or_empty_is_told(history: History, loaded: RunAddress) -> None:
    with pytest.raises(ArtifactNotFoundError, match=r"masks is not a committed entity; `sinara ls` lists"):
        _of(history, loaded, "masks")
    empty = history.run("data_prep")
    with pytest.raises(ArtifactNotFoundError, match=f"{empty.run_id} has published nothing"):
        _of(history, empty)


def test_a_circle_in_forged_records_ends() -> None:
    def manifest(url: str) -> Manifest | Node:
        return Manifest(
            entity=url,
            run_id="run-26-11-21-013711-482",
            created=WHEN,
            producer=Producer(library="test"),
            inputs=({"a": "b", "b": "a"}[url],),
            files=(),
            bytes=0,
            content="0",
        )

    lineage = trace(["a"], manifest, lambda url: {"a": ["b"], "b": ["a"]}[url])
    assert set(lineage.edges) == {(("b", None), ("a", None)), (("a", None), ("b", None))}
    assert len(list(lineage.lines())) < 12
