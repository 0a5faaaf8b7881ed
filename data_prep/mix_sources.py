"""The sources of a mixture: named on the command line or in a file, then read once into an index of their rows."""

from __future__ import annotations

import difflib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from sys import intern
from typing import Any

import pyarrow.parquet as pq

from data_prep.dataset_files import PASS_RATE, open_prepared, parquet_files, read_batches
from data_prep.digests import Places, content_digests, key_digest, repeats
from reward_fns.registry import UNVERIFIABLE_SUFFIX

_SPEC = re.compile(r"(?:(?P<name>[\w.+-]+)=)?(?P<path>.+?)(?::(?P<amount>[0-9]+(?:\.[0-9]+)?)(?P<rows>rows)?)?")
_KEYS = ("path", "weight", "rows")


@dataclass(frozen=True)
class Source:
    """One source as the user named it."""

    name: str
    path: Path
    weight: float | None = None
    rows: int | None = None


def read_sources(words: Sequence[str]) -> list[Source]:
    """The sources of the command line, `[NAME=]PATH[:WEIGHT | :Nrows]`, or of the YAML or JSON file that it names."""
    if len(words) == 1 and words[0].endswith((".yaml", ".yml", ".json")):
        sources = list(_from_file(Path(words[0])))
    else:
        sources = [_from_word(word) for word in words]
    if repeated := [name for name, count in Counter(source.name for source in sources).items() if count > 1]:
        raise ValueError(f"two sources have the name {repeated[0]!r}; name them: NAME=PATH")
    counted = [source for source in sources if source.rows is not None]
    if counted and (len(counted) < len(sources) or any(source.weight is not None for source in sources)):
        raise ValueError("either all sources have a number of rows or none has (the others: a weight, or nothing)")
    weighted = [source for source in sources if source.weight is not None]
    if weighted and len(weighted) < len(sources):
        bare = next(source.name for source in sources if source.weight is None)
        raise ValueError(f"source {bare} has no weight and others have one: give all of them one, or none")
    return sources


def _from_word(word: str) -> Source:
    match = _SPEC.fullmatch(word)
    if not match:
        raise ValueError(f"source {word!r} is not [NAME=]PATH[:WEIGHT] or [NAME=]PATH[:Nrows]")
    path, amount = Path(match["path"]), match["amount"]
    if match["rows"] and "." in amount:
        raise ValueError(f"source {word!r}: {amount} is no whole number of rows")
    weight = float(amount) if amount and not match["rows"] else None
    return Source(match["name"] or path.stem, path, weight, int(amount) if match["rows"] else None)


def _from_file(path: Path) -> Iterator[Source]:
    """Sources of a file {NAME: PATH} or {NAME: {path: PATH, weight: 2}} or {NAME: {path: PATH, rows: 100}}.

    Relative paths start at the file's folder. JSON is read by the same parser: it is YAML.
    """
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    if not isinstance(content, dict) or not content:
        raise ValueError(f"{path} must be an object of sources: NAME: {{path: PATH, weight: 2}}")
    for name, entry in content.items():
        entry = {"path": entry} if isinstance(entry, str) else entry
        if not isinstance(entry, dict) or not isinstance(entry.get("path"), str):
            raise ValueError(f"{path}: source {name} has no path")
        if unknown := [key for key in entry if key not in _KEYS]:
            near = difflib.get_close_matches(str(unknown[0]), _KEYS, 1, 0)[0]
            raise ValueError(f"{path}: source {name} has the unknown key {unknown[0]!r} (nearest: {near!r})")
        weight, rows = entry.get("weight"), entry.get("rows")
        if weight is not None and (isinstance(weight, bool) or not isinstance(weight, int | float)):
            raise ValueError(f"{path}: source {name} has the weight {weight!r}, not a number")
        if rows is not None and type(rows) is not int:
            raise ValueError(f"{path}: source {name} has rows {rows!r}, not a whole number")
        yield Source(str(name), path.parent / entry["path"], weight, rows)


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that may be drawn: about 300 bytes of memory; its images stay in the file."""

    source: str
    file: Path
    row: int
    """place in the file"""
    data_source: str
    index: int
    task: str
    category: str
    contents: tuple[int, ...]
    """`content_digests`"""
    size: int
    """bytes of the images"""


@dataclass
class Index:
    """All candidates of a mixture, and what was left out."""

    rows: list[Candidate] = field(default_factory=list)
    files: dict[str, list[Path]] = field(default_factory=dict)
    """per source"""
    left_out: dict[str, Counter[str]] = field(default_factory=dict)
    """per source, by reason"""
    pass_rate: bool = False
    """Whether a file has that column."""


def index_sources(sources: Sequence[Source], pass_range: tuple[float, float] | None, progress: Any) -> Index:
    """Read every source once. Unverifiable rows and those out of the range of pass rates are left out.

    ValueError for a data_source and index that two rows have (naming both), and for files without a pass rate where a
    range of it is asked for.
    """
    index, keys = Index(), Places()
    index.files = {source.name: parquet_files(source.path, "train") for source in sources}
    opened = {path: open_prepared(path) for paths in index.files.values() for path in paths}
    progress.reset(total=sum(opened[path].metadata.num_rows for paths in index.files.values() for path in paths))
    for name, paths in index.files.items():
        left_out = index.left_out[name] = Counter()
        for path in paths:
            rated = PASS_RATE.name in opened[path].schema_arrow.names
            if pass_range and not rated:
                raise ValueError(f"{path} has no column {PASS_RATE.name}: python -m data_prep passrate adds it")
            index.pass_rate |= rated
            for place, row in _rows(opened[path], path, progress):
                keys.add(key_digest(row["data_source"], row["extra_info"]["index"]), len(keys.rows))
                if reason := _unwanted(row, pass_range):
                    left_out[reason] += 1
                else:
                    index.rows.append(_candidate(name, path, place, row))
    sizes = [(path, opened[path].metadata.num_rows) for paths in index.files.values() for path in paths]
    for pair in repeats(keys):
        later, first = (_place(number, sizes) for number in pair)
        raise ValueError(
            f"{later} has the data_source and index that {first} has; validation tells rows apart by these two, so "
            "give one source other indices, or leave it out"
        )
    return index


def _place(number: int, sizes: Sequence[tuple[Path, int]]) -> str:
    """File and row of the `number`-th row of all."""
    for path, size in sizes:
        if number < size:
            return f"{path}, row {number}"
        number -= size
    raise AssertionError


def _rows(file: pq.ParquetFile, path: Path, progress: Any) -> Iterator[tuple[int, dict[str, Any]]]:
    for start, batch in read_batches(file, path):
        yield from enumerate(batch.to_pylist(), start=start)
        progress.update(batch.num_rows)


def _unwanted(row: dict[str, Any], pass_range: tuple[float, float] | None) -> str | None:
    if row["data_source"].endswith(UNVERIFIABLE_SUFFIX):
        return "unverifiable"
    if pass_range is None:
        return None
    if row[PASS_RATE.name] is None:
        return "without pass rate"
    return None if pass_range[0] <= row[PASS_RATE.name] <= pass_range[1] else "pass rate out of range"


def _candidate(source: str, path: Path, place: int, row: dict[str, Any]) -> Candidate:
    extra, images = row["extra_info"], row["images"] or []
    return Candidate(
        source=source,
        file=path,
        row=place,
        data_source=intern(row["data_source"]),
        index=extra["index"],
        task=intern(extra["task"]),
        category=intern(extra["category"]),
        contents=tuple(content_digests(row)),
        size=sum(len(image["bytes"] or b"") for image in images),
    )
