"""Versioned entities of runs, on a disk or in an object store."""

from sinara_lib.store.artifact_store import (
    ArtifactStore,
    begin_entity,
    fetch_folder,
    open_entity,
    publish_folder,
    store_at,
)

__all__ = ["ArtifactStore", "begin_entity", "fetch_folder", "open_entity", "publish_folder", "store_at"]
