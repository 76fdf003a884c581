"""SinaraML's `sinara.archive`: files of a folder in and out of an entity; no Spark is asked."""

import tempfile
from pathlib import Path
from typing import Any

from sinara_lib import archive
from sinara_lib.compat.dropped import gone
from sinara_lib.compat.substep import get_tmp_work_path
from sinara_lib.store.manifest import Manifest


class SinaraArchive:
    """Packs and unpacks. `spark` is taken for the sake of old calls, and used for frames alone."""

    def __init__(self, spark: Any = None) -> None:
        self._spark = spark

    def pack_files_from_tmp_to_store(self, tmp_entity_dir: str | Path, store_path: str) -> Manifest:
        """Pack the files of a folder into an output, or into a custom output."""
        return archive.pack(tmp_entity_dir, store_path)

    def pack(self, tmp_entity_dir: str | Path, store_path: str) -> Manifest:
        """Do as `pack_files_from_tmp_to_store`."""
        return archive.pack(tmp_entity_dir, store_path)

    def unpack_files_from_store_to_tmp(self, store_path: str, tmp_entity_dir: str | Path) -> None:
        """Unpack an input, or a custom input, into a folder."""
        archive.unpack(store_path, tmp_entity_dir)

    def unpack(self, store_path: str) -> str:
        """Unpack an input into a temporary folder of its name, and return that."""
        folder = Path(get_tmp_work_path()) / Path(store_path).name
        archive.unpack(store_path, folder)
        return str(folder)

    def pack_files_from_tmp_to_spark_df(self, tmp_entity_dir: str | Path) -> Any:
        """Return a frame of Spark with the files of a folder, one a row."""
        place = Path(tempfile.mkdtemp(dir=get_tmp_work_path())) / "archive"
        archive.pack(tmp_entity_dir, str(place))
        return self._spark.read.parquet(str(place))

    pack_files_form_tmp_to_spark_df = pack_files_from_tmp_to_spark_df

    def unpack_files_from_spark_df_to_tmp(self, df_archive: Any, tmp_entity_dir: str | Path) -> None:
        """Raise DroppedError: files come from what is stored, not from a frame."""
        raise gone("SinaraArchive.unpack_files_from_spark_df_to_tmp", "unpack_files_from_store_to_tmp(path, folder)")
