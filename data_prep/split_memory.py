"""What an earlier run split stays split: its record is found, kept to, and published again with what is new."""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from dataset_split import SPLITS, Splits
from prep_params import SplitOptions
from sinara_lib.errors import ArtifactNotFoundError, DataError
from sinara_lib.layout import StepAddress, split_entity_url
from sinara_lib.params import PipelineParams
from sinara_lib.settings import load_settings
from sinara_lib.store import ArtifactStore, open_entity
from sinara_lib.substep import ENTITY_NAME, RUN_ID, STEP_NAME

SUMMARY = "dataset_summary"
SPLIT_FILE = "split.json"


@dataclass(frozen=True)
class SplitRecord:
    """Which image was put into which part, by what seed and fractions."""

    seed: int
    fractions: Mapping[str, float]
    part_of: Mapping[str, str]
    """By file name of the source."""
    run_id: str
    """The run that published it; not in the file, which is the same for the same split."""
    time_stretch: int | None = None

    def as_json(self) -> str:
        """Return the text of the file; the same record gives the same text."""
        parts = {name: sorted(one for one, part in self.part_of.items() if part == name) for name in SPLITS}
        stretch = {} if self.time_stretch is None else {"time_stretch": self.time_stretch}
        content = {"seed": self.seed, "fractions": dict(self.fractions), **stretch, "parts": parts}
        return json.dumps(content, indent=1, ensure_ascii=False)


def read_split(url: str) -> SplitRecord:
    """Read the record in the entity at `url`.

    Raises:
        DataError: it is not such a record.
    """
    try:
        content = json.loads(open_entity(url).read(SPLIT_FILE))
        part_of = {one: name for name in SPLITS for one in content["parts"][name]}
        return SplitRecord(content["seed"], content["fractions"], part_of, _run_id(url), content.get("time_stretch"))
    except (ValueError, KeyError, TypeError) as error:
        raise DataError(f"{url}/{SPLIT_FILE}: is not the record of a split ({error!r}).") from error


def earlier_inputs(pipeline: PipelineParams, step_name: str, options: SplitOptions) -> list[dict[str, str]]:
    """Return the interface's input entry of the split to keep to; empty where none was made by this seed and fractions.

    It is the newest run's split, read where it was last added to: runs in between need not be kept for its sake.
    """
    store = load_settings().store(pipeline.env_name)
    step = StepAddress(pipeline.pipeline_name, pipeline.zone_name, step_name)
    newest = _newest(store, step) if options.keep_split else None
    if newest is None:
        return []
    record = read_split(newest)
    made_by = (record.seed, dict(record.fractions), record.time_stretch)
    if made_by != (options.seed, options.fractions.model_dump(), options.time_stretch):
        return []
    return [{STEP_NAME: step_name, ENTITY_NAME: SUMMARY, RUN_ID: _run_id(_first_alike(store, step, newest))}]


def record_split(splits: Splits, earlier: SplitRecord | None, options: SplitOptions, *, run_id: str) -> SplitRecord:
    """Return the record of this run: all that was known before, also of images that are gone, and what is new."""
    known = dict(earlier.part_of) if earlier else {}
    now = _part_of(splits)
    if earlier and all(known.get(name) == part for name, part in now.items()):
        return earlier
    return SplitRecord(options.seed, options.fractions.model_dump(), known | now, run_id, options.time_stretch)


def split_words(splits: Splits, earlier: SplitRecord | None) -> str:
    """Return how many images stay where an earlier run put them, and how many are new."""
    if earlier is None:
        return "All images are split anew."
    now = _part_of(splits)
    old = sum(name in earlier.part_of for name in now)
    return f"{old:,} images stay in the part that they had in {earlier.run_id}; {len(now) - old:,} are new."


def _part_of(splits: Splits) -> dict[str, str]:
    return {image.file_name: name for name, part in splits.items() for image in part.images}


def _first_alike(store: ArtifactStore, step: StepAddress, url: str) -> str:
    """Return the entity that the one at `url` was made from, where it stands and holds the same split; else `url`."""
    prefix = f"{store.url}/{step.path}/"
    for before in open_entity(url).manifest.inputs:
        alike = before.startswith(prefix) and _newest(store, step, run_id=_run_id(before)) == before
        if alike and _split_hash(before) == _split_hash(url):
            return before
    return url


def _split_hash(url: str) -> str:
    return next(one.sha256 for one in open_entity(url).manifest.files if one.path == SPLIT_FILE)


def _run_id(url: str) -> str:
    return split_entity_url(url)[1].run.run_id


def _newest(store: ArtifactStore, step: StepAddress, *, run_id: str | None = None) -> str | None:
    try:
        return store.url_of(store.resolve(step, [SUMMARY], run_id=run_id).entity(SUMMARY))
    except ArtifactNotFoundError:
        return None
