"""Stored answers of a model, found by the row that they answer."""

from __future__ import annotations

import json
from array import array
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from data_prep.digests import digest


class StoredAnswers:
    """An index of JSONL files: 24 bytes an answer, its text stays in the file.

    A line is {"data_source": …, "index": …, "response": …}, or one of verl's validation dumps with this project's
    reward manager: {"row": "data_source/index", "output": …}. Lines whose response is null are counted in `empty`; a
    cut-off last line is left out and counted in `torn`.
    """

    def __init__(self, files: Sequence[Path]) -> None:
        import numpy as np

        self.files, self.empty, self.torn = list(files), 0, 0
        keys, numbers, offsets = array("Q"), array("Q"), array("Q")
        for number, path in enumerate(self.files):
            for offset, record in self._records(path):
                if _response(record) is None:
                    self.empty += 1
                    continue
                keys.append(digest(_row_of(record).encode()))
                numbers.append(number)
                offsets.append(offset)
        order = np.argsort(np.asarray(keys, np.uint64), kind="stable")
        self.keys = np.asarray(keys, np.uint64)[order]
        self._numbers = np.asarray(numbers, np.uint64)[order]
        self._offsets = np.asarray(offsets, np.uint64)[order]

    def _records(self, path: Path) -> Iterator[tuple[int, dict[str, Any]]]:
        if not path.is_file():
            raise ValueError(f"{path} is not there")
        with path.open("rb") as lines:
            offset = 0
            for line_number, line in enumerate(lines, start=1):
                if line.strip():
                    try:
                        record = json.loads(line)
                        _check(record)
                    except (ValueError, RecursionError) as error:
                        if not line.endswith(b"\n"):
                            self.torn += 1
                            return
                        raise ValueError(f"{path}, line {line_number}: {error}") from None
                    yield offset, record
                offset += len(line)

    def places(self, key: int) -> list[tuple[int, int]]:
        """(number of the file, offset) of the answers to the row with this key."""
        import numpy as np

        start, stop = (int(np.searchsorted(self.keys, np.uint64(key), side)) for side in ("left", "right"))
        return [(int(self._numbers[at]), int(self._offsets[at])) for at in range(start, stop)]


def read_response(path: Path, offset: int) -> str:
    """The response of the line at `offset`."""
    with path.open("rb") as file:
        file.seek(offset)
        return str(_response(json.loads(file.readline())))


def _check(record: Any) -> None:
    if not isinstance(record, dict):
        raise ValueError("not a JSON object")
    if "row" not in record and not {"data_source", "index"} <= set(record):
        raise ValueError(f"says neither data_source and index nor row (keys: {', '.join(map(str, record))[:200]})")
    if "response" not in record and "output" not in record:
        raise ValueError(f"has neither response nor output (keys: {', '.join(map(str, record))[:200]})")
    if not isinstance(_response(record), str | None):
        raise ValueError(f"the response is {type(_response(record)).__name__}, not a text")


def _response(record: dict[str, Any]) -> Any:
    return record["response"] if "response" in record else record["output"]


def _row_of(record: dict[str, Any]) -> str:
    return str(record["row"]) if "row" in record else f"{record['data_source']}/{record['index']}"
