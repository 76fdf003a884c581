"""Versioned entities of runs, on a disk or in an object store: begun unseen, committed whole, never changed.

Front door: the names below, in `artifact_store`. `manifest` holds the records (pure), `entity` reads and
`entity_writer` writes one entity, `entity_folder` a folder of plain files; `files`, `failures` and `root` are the
filesystem underneath. Files in shards are `sinara_lib.archive`; questions about many runs, and removing them,
`sinara_lib.catalog`.
"""

from sinara_lib.store.artifact_store import (
    ArtifactStore,
    begin_entity,
    fetch_folder,
    open_entity,
    publish_folder,
    store_at,
)

__all__ = ["ArtifactStore", "begin_entity", "fetch_folder", "open_entity", "publish_folder", "store_at"]
