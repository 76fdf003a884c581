"""Whether a run would only publish again what an earlier one has published: the same sources, parameters and code."""

from collections.abc import Iterable, Iterator

from sinara_lib.errors import ArtifactNotFoundError, Unchanged
from sinara_lib.layout import split_run_url
from sinara_lib.settings import load_settings
from sinara_lib.store.manifest import RunRecord
from sinara_lib.substep import NotebookSubstep


def end_if_unchanged(substep: NotebookSubstep, sources: Iterable[tuple[str, str]]) -> str:
    """End the notebook well, by raising Unchanged, when the newest run with all its outputs read the same.

    `sources` are URL (without credentials) and sha256 of all raw data that the run reads. The same means: these, all
    parameters, every file of the step's folder that git would track, and the library. The earlier run becomes an input
    of this one, so that `sinara gc` keeps it as long as this one. Otherwise returns what differs, in words.
    """
    store = load_settings().store(substep.pipeline_params.env_name)
    run, names = split_run_url(substep.run_url)[1], list(substep.outputs())
    try:
        earlier = store.resolve(run.step, names)
    except ArtifactNotFoundError:
        return "no earlier run has all outputs"
    before, now = store.run_record(earlier), store.run_record(run)
    if before is None or now is None:
        return f"nothing is recorded of {earlier.run_id}"
    if changes := list(_changes(before, now, set(sources))):
        return f"changed since {earlier.run_id}: {', '.join(changes)}"
    store.replace_record(run, now.with_inputs(store.url_of(earlier.entity(name)) for name in names))
    store.resolve(run.step, names, run_id=earlier.run_id)  # a collection of garbage may have taken it meanwhile
    raise Unchanged(f"unchanged since {earlier.run_id}")


def _changes(before: RunRecord, now: RunRecord, sources: set[tuple[str, str]]) -> Iterator[str]:
    known = {(source.url, source.sha256) for source in before.sources}
    yield from sorted({url for url, _ in sources ^ known})
    if before.params != now.params:
        yield "parameters"
    if before.producer.code != now.producer.code:
        yield "the step's code"
    if before.producer.library != now.producer.library:
        yield "the library"
