"""The table in an `_INDEX`, read so that no content of the file harms: checked whole, and of no size but its own."""

import struct
from collections.abc import Iterator

import pyarrow as pa

_MAGIC = b"ARROW1\0\0"
_HEADER, _COMPRESSION = 2, 3
"""Numbers of the fields in the tables `Message` and `RecordBatch` of Arrow's Message.fbs."""


def read_table(data: bytes) -> pa.Table:
    """Return the table in the bytes of an Arrow file. Raises ValueError for anything else, whatever it is.

    Compressed content is refused: our indexes have none, and a few bytes could ask for all memory.
    """
    if not data.startswith(_MAGIC):
        raise ValueError("not an Arrow file")
    try:
        for message in _messages(data):
            if message.type not in {"schema", "record batch"}:
                raise ValueError(f"it holds a {message.type}")
            if message.type == "record batch" and _is_compressed(message.metadata.to_pybytes()):
                raise ValueError("it is compressed")
        table = pa.ipc.open_stream(_stream(data)).read_all()
        table.validate(full=True)
    except (pa.ArrowException, OSError, struct.error) as error:
        raise ValueError(str(error)) from error
    if empty := [name for name in table.column_names if table[name].null_count]:
        raise ValueError(f"it has lines without {', '.join(empty)}")
    return table


def _stream(data: bytes) -> pa.BufferReader:
    """Return what stands between the file's mark and its list of contents: that is how a stream is read."""
    return pa.BufferReader(pa.py_buffer(data).slice(len(_MAGIC)))


def _messages(data: bytes) -> Iterator[pa.ipc.Message]:
    reader = pa.ipc.MessageReader.open_stream(_stream(data))
    while True:
        try:
            yield reader.read_next_message()
        except StopIteration:
            return


def _is_compressed(metadata: bytes) -> bool:
    (message,) = struct.unpack_from("<I", metadata, 0)
    header = _field(metadata, message, _HEADER)
    if header is None:
        return False
    (batch,) = struct.unpack_from("<I", metadata, header)
    return _field(metadata, header + batch, _COMPRESSION) is not None


def _field(metadata: bytes, table: int, number: int) -> int | None:
    """Return where a field of a flatbuffers table lies; None when the table has none."""
    (back,) = struct.unpack_from("<i", metadata, table)
    entry = 4 + 2 * number
    (size,) = struct.unpack_from("<H", metadata, table - back)
    (offset,) = struct.unpack_from("<H", metadata, table - back + entry) if entry < size else (0,)
    return table + offset if offset else None
