"""What the footer of a parquet file announces, read without pyarrow, which ends the process for some damaged ones.

The footer is one structure in Thrift's compact protocol, its fields are those of parquet.thrift:
https://github.com/apache/parquet-format/blob/master/src/main/thrift/parquet.thrift
"""

from typing import Any

_MARK = b"PAR1"
_ROW_GROUPS, _COLUMNS, _FACTS, _VALUES = 4, 1, 3, 5
"""Numbers of the fields FileMetaData.row_groups, RowGroup.columns, ColumnChunk.meta_data, ColumnMetaData.num_values."""
_DEEPEST = 30


def announced_values(data: bytes) -> int:
    """Return how many values a parquet file announces, those inside lists counted one by one.

    Raises ValueError for what is no footer.
    """
    size = int.from_bytes(data[-8:-4], "little")
    if data[-4:] != _MARK or not 0 < size <= len(data) - 8:
        raise ValueError("it has no footer")
    try:
        footer = _Compact(data[-8 - size : -8]).struct(0)
        columns = [column for group in footer[_ROW_GROUPS] for column in group[_COLUMNS]]
        return sum(max(0, column[_FACTS][_VALUES]) for column in columns)
    except (IndexError, KeyError, TypeError) as error:
        raise ValueError("its footer is damaged") from error


class _Compact:
    """Reads values one after the other; structures come as {number of the field: value}."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    def struct(self, depth: int) -> dict[int, Any]:
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._signed()
            fields[number] = self._value(head & 15, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        if depth > _DEEPEST:
            raise ValueError("its footer nests too deep")
        if kind in {1, 2}:  # a truth value, which is its own kind
            return kind == 1
        if kind == 3:
            return self._byte()
        if kind in {4, 5, 6}:
            return self._signed()
        if kind in {7, 8}:
            return self._skip(8 if kind == 7 else self._number())
        if kind in {9, 10}:
            return self._list(depth)
        if kind == 12:
            return self.struct(depth + 1)
        raise ValueError("its footer is damaged")

    def _list(self, depth: int) -> list[Any]:
        head = self._byte()
        count = head >> 4 if head >> 4 < 15 else self._number()
        if count > len(self._data) - self._at:  # each takes a byte at least
            raise ValueError("its footer is damaged")
        kind = head & 15
        return [self._byte() if kind in {1, 2} else self._value(kind, depth + 1) for _ in range(count)]

    def _byte(self) -> int:
        self._at += 1
        return self._data[self._at - 1]

    def _skip(self, count: int) -> None:
        self._at += count

    def _number(self) -> int:
        found = shift = 0
        while shift < 70:
            byte = self._byte()
            found |= (byte & 127) << shift
            if byte < 128:
                return found
            shift += 7
        raise ValueError("its footer is damaged")

    def _signed(self) -> int:
        found = self._number()
        return (found >> 1) ^ -(found & 1)
