"""What an entity was made from, back to raw data, and what was made from it: a graph, a tree of text, JSON.

The JSON page (`Lineage.page`), format 1:

    {"format": 1,
     "targets": [URL, ...],                        the entities asked about
     "nodes": [{"url": URL,
                "kind": "entity" | "raw",          raw: anything outside the store
                "state": "present" | "missing" | "unreadable",
                "made": time or null,              UTC; of raw data, when it was fetched
                "sha256": text or null,            of an entity: its content hash
                "bytes": number or null,
                "etag": text or null, "last_modified": text or null,      of raw data, as its server told
                "origin": URL or null, "commit": text or null, "uncommitted": true | false | null,
                "library": text or null}, ...],    of an entity: the code that made it
     "edges": [{"from": URL, "sha256": text or null, "to": URL}, ...]}

An edge says that `to` was made from `from`. Raw data are one node per URL and sha256: what a server changed is another
node; `sha256` of an edge tells which. Raw data of which only the URL is known are "present": nobody looked again.
"missing" entities were collected or lost; what they were made from cannot be told any more.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from sinara_lib.store.manifest import Manifest, Source

FORMAT = 1

Key = tuple[str, str | None]
"""URL, and of raw data their sha256."""


@dataclass(frozen=True)
class Node:
    """An entity or raw data; see the module for the fields."""

    url: str
    kind: str
    state: str = "present"
    made: datetime | None = None
    sha256: str | None = None
    bytes: int | None = None
    etag: str | None = None
    last_modified: str | None = None
    origin: str | None = None
    commit: str | None = None
    uncommitted: bool | None = None
    library: str | None = None

    @property
    def key(self) -> Key:
        """What edges name the node by."""
        return (self.url, self.sha256 if self.kind == "raw" else None)


@dataclass(frozen=True)
class Lineage:
    """A graph around its targets: nodes by key, and edges (made from, made)."""

    targets: tuple[str, ...]
    nodes: Mapping[Key, Node]
    edges: tuple[tuple[Key, Key], ...]

    def page(self) -> dict[str, Any]:
        """Return the JSON page that the module describes."""
        nodes = [asdict(n) | {"made": n.made and n.made.isoformat()} for n in self.nodes.values()]
        edges = [{"from": a[0], "sha256": a[1], "to": b[0]} for a, b in self.edges]
        return {"format": FORMAT, "targets": list(self.targets), "nodes": nodes, "edges": edges}

    def lines(self, *, back: bool = True, forward: bool = True) -> Iterator[str]:
        """Yield the graph as trees: of each target what it was made from, then what was made from it."""
        origins: dict[Key, list[Key]] = {}
        results: dict[Key, list[Key]] = {}
        for made_from, made in self.edges:
            origins.setdefault(made, []).append(made_from)
            results.setdefault(made_from, []).append(made)
        shown: set[Key] = set()
        for target in self.targets:
            yield _label(self.nodes[(target, None)])
            for wanted, word, near in ((back, "made from", origins), (forward, "used by", results)):
                if wanted:
                    yield f"  {word}" if near.get((target, None)) else f"  {word}: nothing that is known"
                    yield from self._branches((target, None), near, "    ", shown)
            shown.clear()

    def _branches(self, key: Key, near: Mapping[Key, list[Key]], indent: str, shown: set[Key]) -> Iterator[str]:
        for other in near.get(key, []):
            again = other in shown and near.get(other)
            yield f"{indent}{_label(self.nodes[other])}{' (its branch is shown above)' if again else ''}"
            if not again:
                shown.add(other)
                yield from self._branches(other, near, indent + "  ", shown)


def entity_node(url: str, manifest: Manifest) -> Node:
    """Describe a committed entity."""
    return Node(
        url=url,
        kind="entity",
        made=manifest.created,
        sha256=manifest.content,
        bytes=manifest.bytes,
        origin=manifest.producer.origin,
        commit=manifest.producer.commit,
        uncommitted=manifest.producer.uncommitted,
        library=manifest.producer.library,
    )


def raw_node(source: Source) -> Node:
    """Describe raw data."""
    return Node(
        url=source.url,
        kind="raw",
        made=source.fetched,
        sha256=source.sha256,
        bytes=source.bytes,
        etag=source.etag,
        last_modified=source.last_modified,
    )


Manifests = Callable[[str], Manifest | Node]
"""Gives an entity's manifest by its URL, or the node to show where there is none to read (missing, raw)."""
Users = Callable[[str], Iterable[str]]
"""Gives the URLs of entities whose manifests name an entity's URL."""


def trace(targets: Iterable[str], manifest_of: Manifests, users_of: Users | None, *, back: bool = True) -> Lineage:
    """Follow inputs back to raw data, and users forward, from every target.

    `users_of` None leaves the way forward out. Whatever the records say, each entity is looked at once: a circle in
    forged records ends.
    """
    targets = tuple(targets)
    graph = _Graph(manifest_of)
    for target in targets:
        graph.add(target)
    if back:
        graph.follow(targets, graph.origins)
    if users_of is not None:
        graph.follow(targets, lambda url: graph.results(url, users_of))
    return Lineage(targets, graph.nodes, tuple(graph.edges))


class _Graph:
    """The graph while it grows."""

    def __init__(self, manifest_of: Manifests) -> None:
        self.nodes: dict[Key, Node] = {}
        self.edges: dict[tuple[Key, Key], None] = {}
        self._manifest_of = manifest_of
        self._manifests: dict[str, Manifest | None] = {}

    def add(self, url: str) -> None:
        """Look an entity up, once."""
        if url not in self._manifests:
            found = self._manifest_of(url)
            self._manifests[url] = found if isinstance(found, Manifest) else None
            node = entity_node(url, found) if isinstance(found, Manifest) else found
            self.nodes[(url, None)] = replace(node, url=url)

    def follow(self, start: Iterable[str], near: Callable[[str], list[str]]) -> None:
        """Visit everything that can be reached over `near`."""
        todo, seen = list(start), set(start)
        while todo:
            new = [url for url in dict.fromkeys(near(todo.pop())) if url not in seen]
            seen.update(new)
            todo += new

    def origins(self, url: str) -> list[str]:
        """Add what an entity was made from; return those of them that may have origins themselves."""
        manifest = self._manifests[url]
        if manifest is None:
            return []
        for source in manifest.sources:
            node = raw_node(source)
            self.nodes[node.key] = node
            self.edges[(node.key, (url, None))] = None
        told = {source.url for source in manifest.sources}
        inputs = [one for one in manifest.inputs if one not in told]
        for one in inputs:
            self.add(one)
            self.edges[((one, None), (url, None))] = None
        return inputs

    def results(self, url: str, users_of: Users) -> list[str]:
        """Add what was made from an entity and return it."""
        users = list(users_of(url))
        for user in users:
            self.add(user)
            self.edges[((url, None), (user, None))] = None
        return users


def _label(node: Node) -> str:
    facts = [] if node.state == "present" else [node.state.upper()]
    if node.kind == "raw":
        facts += [f"sha256 {node.sha256[:16]}"] if node.sha256 else []
        facts += [f"ETag {node.etag}"] if node.etag else []
        facts += [f"of {node.last_modified}"] if node.last_modified else []
        facts += [f"fetched {node.made:%Y-%m-%d %H:%M:%S} UTC"] if node.made else []
    elif node.made:
        facts += [f"{node.made:%Y-%m-%d %H:%M:%S} UTC", f"content {(node.sha256 or '')[:16]}"]
        facts += [f"commit {node.commit[:12]}{' + uncommitted' if node.uncommitted else ''}"] if node.commit else []
    return f"{node.url}  ({', '.join(facts)})" if facts else node.url
