"""Stored runs: `results/<arm>-<seed>.json.gz`, written by grid.py."""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parent))
from arms import ARMS

RESULTS = Path(__file__).parent / "results"
Record = dict[str, Any]


def write(path: Path, record: Record) -> None:
    """Whole or not there. Without a name and a time in the header, the same run gives the same bytes."""
    path.parent.mkdir(exist_ok=True)
    part = path.with_suffix(".part")
    with part.open("wb") as file, gzip.GzipFile(filename="", mode="wb", fileobj=file, mtime=0) as packed:
        packed.write(json.dumps(record).encode())
    part.replace(path)


def load(results: Path = RESULTS) -> dict[str, list[Record]]:
    """Stored runs by arm, in the order of the arms, each by seed."""
    found = {}
    for arm in ARMS:
        paths = sorted(results.glob(f"{arm}-[0-9]*.json.gz"))
        records = [json.loads(gzip.decompress(path.read_bytes())) for path in paths]
        if records:
            found[arm] = sorted(records, key=lambda one: one["seed"])
    return found
