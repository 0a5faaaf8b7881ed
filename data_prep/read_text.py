"""Rows of JSON, JSON lines and TSV files, one at a time."""

from __future__ import annotations

import csv
import json
from collections import OrderedDict
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TextIO

CHUNK = 1 << 20
MAX_REFERENCE = 64
"""An image cell up to this length may be the index of the row that holds the image, as in VLMEvalKit's files."""
csv.field_size_limit(1 << 31)
_DECODER = json.JSONDecoder(parse_constant=lambda name: None)
_SPACE = " \t\r\n"


def json_rows(path: Path) -> Iterator[dict[str, Any]]:
    """The objects of a JSON list; or of an object: its objects, with their key as `id` where they have none, and those
    in its lists. Bare NaN and Infinity are None.

    ValueError naming the file and the number of the row for a file that is cut off or holds something else.
    """
    with path.open(encoding="utf-8-sig") as file:
        stream, found = _Stream(file), 0
        try:
            keyed = stream.peek() == "{"
            stream.take("{" if keyed else "[")
            while stream.peek() not in "]}":
                key = stream.value() if keyed else None
                if keyed:
                    stream.take(":")
                value = stream.value()
                values = value if keyed and isinstance(value, list) else [value]
                for each in values:
                    if isinstance(each, dict):
                        yield {"id": key, **each} if keyed and values is not value else each
                        found += 1
                    elif not keyed:
                        raise ValueError(f"expected an object, got {type(each).__name__}")
                if stream.peek() == ",":
                    stream.take(",")
            stream.take("}" if keyed else "]")
        except (ValueError, RecursionError) as error:
            raise ValueError(f"{path}: row {found}: {error} (cut off?)") from error


class _Stream:
    """JSON values from a text file, read as far as needed."""

    def __init__(self, file: TextIO) -> None:
        self.file = file
        self.text, self.at, self.ended = "", 0, False

    def _more(self, size: int) -> None:
        added = self.file.read(size)
        self.ended = not added
        self.text, self.at = self.text[self.at :] + added, 0

    def peek(self) -> str:
        """The next character that is no space, "" at the end."""
        while True:
            while self.at < len(self.text) and self.text[self.at] in _SPACE:
                self.at += 1
            if self.at < len(self.text) or self.ended:
                return self.text[self.at : self.at + 1] or "\0"
            self._more(CHUNK)

    def take(self, mark: str) -> None:
        if (found := self.peek()) != mark:
            raise ValueError(f"expected {mark!r}, got {'the end of the file' if found == chr(0) else repr(found)}")
        self.at += 1

    def value(self) -> Any:
        self.peek()
        while True:
            try:
                value, end = _DECODER.raw_decode(self.text, self.at)
                if end < len(self.text) or self.ended:  # else a number may go on
                    self.at = end
                    return value
            except json.JSONDecodeError:
                if self.ended:
                    raise
            self._more(max(CHUNK, len(self.text) - self.at))


def jsonl_rows(path: Path) -> Iterator[dict[str, Any]]:
    """One object a line; empty lines are skipped. ValueError naming the line."""
    with path.open(encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                row = _DECODER.decode(line.strip())
            except (ValueError, RecursionError) as error:
                raise ValueError(f"{path}: line {number}: {error} (cut off?)") from error
            if not isinstance(row, dict):
                raise ValueError(f"{path}: line {number}: expected an object, got {type(row).__name__}")
            yield row


class _Lines:
    """Lines of a file, with the place where the next one starts."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = path.open("rb")
        self.at = 0

    def __iter__(self) -> Iterator[str]:
        for line in self.file:
            self.at += len(line)
            yield line.decode("utf-8-sig" if self.at == len(line) else "utf-8")


def tsv_rows(path: Path, delimiter: str = "\t") -> Iterator[dict[str, Any]]:
    """Rows as dicts of texts; empty and nan cells are None. An `image` that is another row's `index` becomes that
    row's image. ValueError naming the file and the row for a row with too many or too few cells.
    """
    lines = _Lines(path)
    with lines.file:
        images = _ImagesByIndex(path, delimiter)
        for number, (header, cells, start) in enumerate(_cells(lines, delimiter)):
            if len(cells) != len(header):
                raise ValueError(f"{path}: row {number} has {len(cells)} cells for {len(header)} columns (cut off?)")
            row = {name: None if cell in ("", "nan", "NaN") else cell for name, cell in zip(header, cells, strict=True)}
            image = row.get("image")
            if (index := row.get("index")) is not None and image is not None:
                if len(image) > MAX_REFERENCE:
                    images.note(index, start)
                elif (found := images.find(image)) is not None:
                    row["image"] = found
            yield row


def _cells(lines: _Lines, delimiter: str) -> Iterator[tuple[list[str], list[str], int]]:
    """(header, cells, place where the row starts in the file)"""
    reader = csv.reader(iter(lines), delimiter=delimiter)
    try:
        header = next(reader, [])
        start = lines.at
        for cells in reader:
            if cells:
                yield header, cells, start
            start = lines.at
    except (csv.Error, UnicodeDecodeError) as error:
        raise ValueError(f"{lines.path}: near line {reader.line_num}: {error}") from error


class _ImagesByIndex:
    """Finds the image of another row by its index, reading the row again: only places are kept in memory."""

    def __init__(self, path: Path, delimiter: str) -> None:
        self.path = path
        self.delimiter = delimiter
        self.places: dict[str, int] = {}
        self.complete = False
        self.recent: OrderedDict[str, str] = OrderedDict()

    def note(self, index: str, place: int) -> None:
        self.places.setdefault(index, place)

    def find(self, index: str) -> str | None:
        if index not in self.recent:
            if index not in self.places and not self.complete:
                self._scan()
            if index not in self.places:
                return None
            self.recent[index] = self._row_at(self.places[index])
            if len(self.recent) > 8:
                self.recent.popitem(last=False)
        return self.recent[index]

    def _scan(self) -> None:
        """Places of all rows: a reference may go forward."""
        self.complete = True
        lines = _Lines(self.path)
        with lines.file:
            for header, cells, start in _cells(lines, self.delimiter):
                row = dict(zip(header, cells, strict=False))
                if len(row.get("image", "")) > MAX_REFERENCE:
                    self.note(row["index"], start)

    def _row_at(self, place: int) -> str:
        header_lines = _Lines(self.path)
        with header_lines.file:
            header = next(csv.reader(iter(header_lines), delimiter=self.delimiter))
        lines = _Lines(self.path)
        with lines.file:
            lines.file.seek(place)
            lines.at = place
            cells = next(csv.reader(iter(lines), delimiter=self.delimiter))
        return cells[header.index("image")]
