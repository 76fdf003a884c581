"""CSV files of any origin: in which coding they are, and which sign parts their cells."""

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import dataclass

from label_formats.values import decoded
from sinara_lib.errors import DataError

DELIMITERS = ",;\t|"
WINDOWS = "cp1252"
"""What spreadsheets on Windows write where they do not write Unicode."""


@dataclass(frozen=True)
class CsvText:
    """The header and, each with its last line, the rows; `coding` is named where it is not Unicode."""

    header: list[str]
    rows: Iterator[tuple[int, list[str]]]
    delimiter: str
    coding: str | None


def open_csv(data: bytes, path: str, *, delimiters: str = DELIMITERS) -> CsvText:
    """Read a CSV file with a header, blanks around its names left out. Raises DataError, also while rows are read."""
    text, coding = _text(data, path)
    # One cell may be a segmentation of any length; the limit guards against a file that is no CSV.
    csv.field_size_limit(max(csv.field_size_limit(), len(text)))
    delimiter, skipped = _delimiter(text, delimiters)
    rows = _rows(text, delimiter, path)
    for _ in range(skipped):
        next(rows)
    _, header = next(rows, (0, []))
    return CsvText([name.strip() for name in header], rows, delimiter, coding)


def csv_header(head: bytes) -> list[str]:
    """Return the names of the columns by the first bytes of a file."""
    text = head.decode(json.detect_encoding(head), "replace")
    delimiter, skipped = _delimiter(text, DELIMITERS)
    line = text.splitlines()[skipped : skipped + 1]
    return [name.strip() for name in next(_rows("".join(line), delimiter, "header"), (0, []))[1]]


def _text(data: bytes, path: str) -> tuple[str, str | None]:
    try:
        return decoded(data, path), None
    except DataError:
        try:
            return data.decode(WINDOWS), "Windows-1252"
        except UnicodeDecodeError:
            pass
        raise


def _delimiter(text: str, known: str) -> tuple[str, int]:
    """Return the sign that parts most names in the header, and how many lines stand before it."""
    first = text[:1000].splitlines()[:1]
    if first and first[0].strip().lower()[:4] == "sep=" and first[0].strip()[4:] in known:
        return first[0].strip()[4:], 1
    line = text.partition("\n")[0].rstrip("\r")
    return max(known, key=lambda sign: len(_cells(line, sign))), 0


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(csv.reader([line], delimiter=delimiter, skipinitialspace=True), [])
    except csv.Error:
        return []


def _rows(text: str, delimiter: str, path: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, skipinitialspace=True)
    try:
        for row in reader:
            if row:
                yield reader.line_num, row
    except csv.Error as error:
        raise DataError(f"{path}: line {reader.line_num}: is not a CSV file: {error}.") from error
