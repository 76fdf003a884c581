"""Images within parquet files, as Hugging Face's tools write them: a column of bytes, with paths where they have."""

import io
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

from data_sources.gathering import Gathered, is_image
from fetch_params import Limits
from sinara_lib.errors import DataError

ROWS = 32
"""So many are in memory at once."""
FREE_BYTES = 64 << 20
"""A file may unpack to so much whatever its size."""


def take_embedded(gathered: Gathered, folder: Path, *, limits: Limits) -> None:
    """Add the images within parquet files to what was gathered, and put their names where they were.

    An image lies in a folder that is called as its file, under the name it has there, else under the number of its row.
    Raises DataError when a file cannot be read, or unpacks to more than an archive of its size may.
    """
    for path, file in gathered.labels.items():
        if path.lower().endswith(".parquet") and (column := _picture_column(file)) is not None:
            try:
                gathered.labels[path] = _take(gathered, path, column, folder, limits)
            except (pa.ArrowException, OSError, ValueError) as error:
                if isinstance(error, DataError):
                    raise
                raise DataError(f"{path}: its images cannot be read: {str(error)[:200]}.") from error


def _picture_column(file: Path) -> str | None:
    """Return the column of images; None where there is none, or the file is no parquet, which reading it will say."""
    try:
        schema = pq.read_schema(file)
    except (pa.ArrowException, OSError, ValueError):
        return None
    for field in schema:
        if pa.types.is_struct(field.type) and {child.name for child in field.type} == {"bytes", "path"}:
            return str(field.name)
    return None


def _take(gathered: Gathered, path: str, column: str, folder: Path, limits: Limits) -> Path:
    """Write the images of a file, and the file without them; return the new one."""
    file, pure = gathered.labels[path], PurePosixPath(path)
    names: list[str | None] = []
    known: set[str] = set()
    room = min(limits.total_bytes, limits.ratio * max(file.stat().st_size, FREE_BYTES // limits.ratio))
    for number, value in enumerate(_values(file, column)):
        data, given = value.get("bytes"), value.get("path")
        if data is None:
            names.append(given)
            continue
        room -= len(data)
        if room < 0 or number >= limits.files:
            raise DataError(f"{path}: its images are more, or larger, than max_unpacked_* allow; refused as a bomb.")
        name = _name(data, given, number)
        name = name if name.casefold() not in known else f"{number:08d}_{name}"
        known.add(name.casefold())
        target = folder / f"{file.name}_{number:08d}"
        target.write_bytes(data)
        os.utime(target, ns=(file.stat().st_mtime_ns,) * 2)
        gathered.images[str(pure.with_suffix("") / name)] = target
        names.append(f"{pure.stem}/{name}")
    table = pq.read_table(file, columns=[one for one in pq.read_schema(file).names if one != column])
    slim = folder / f"{file.name}_labels"
    pq.write_table(table.append_column(column, pa.array(names, pa.string())), slim)
    return slim


def _values(file: Path, column: str) -> Iterator[dict[str, Any]]:
    with pq.ParquetFile(file) as opened:
        for batch in opened.iter_batches(batch_size=ROWS, columns=[column]):
            for value in batch.column(0).to_pylist():
                yield value or {}


def _name(data: bytes, given: str | None, number: int) -> str:
    """Return the name of an image, with an ending that tells its format."""
    name = PurePosixPath((given or "").replace("\\", "/")).name or f"{number:08d}"
    if is_image(name):
        return name
    try:
        with Image.open(io.BytesIO(data)) as image:
            kind = str(image.format).lower()
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError):
        return name
    return f"{name}.{'jpg' if kind == 'jpeg' else kind}"
