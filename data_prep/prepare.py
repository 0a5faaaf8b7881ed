"""Prepare the offline data set: train.parquet, val.parquet, manifest.json; complete, or not there at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack, closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_prep.folder import MANIFEST, code_sha256, differences, locked, write_manifest
from data_prep.parallel import RowSource, make_rows
from data_prep.writer import RowWriter, file_sha256

LIBRARIES = ("pyarrow", "pillow", "numpy", "matplotlib", "pycocotools")


def prepare(
    source: RowSource, *, out: Path, counts: Mapping[str, int], arguments: Mapping[str, Any],
    workers: int = 1, force: bool = False, progress: bool = True,
) -> tuple[dict[str, Any], bool]:  # fmt: skip
    """Make the splits of `counts` in `out`; returns the manifest and whether anything had to be made.

    `arguments` (JSON-serialisable) is what the rows depend on. A folder made with the same arguments by the same code
    and whose files are intact is kept. Raises ValueError for a folder that holds something else (unless `force`) or
    that cannot be written. Finished files replace older ones only after all splits are complete.
    """
    for split, count in counts.items():
        if count < 1:
            raise ValueError(f"{split} is {count}; it needs at least 1 row")
    if workers < 1:
        raise ValueError(f"workers is {workers}; it must be at least 1")
    arguments = json.loads(json.dumps({**arguments, **counts}))
    with locked(out):
        if not force and (found := _kept(out, counts, arguments)):
            return found, False
        with ExitStack() as stack:
            writers = {split: stack.enter_context(RowWriter(out / f"{split}.parquet")) for split in counts}
            rows = stack.enter_context(closing(make_rows(source, counts, workers=workers)))
            for split, row in tqdm(rows, total=sum(counts.values()), unit="row", disable=not progress):
                writers[split].write(row)
            splits = {split: writer.finish() for split, writer in writers.items()}
            manifest = {
                "arguments": arguments,
                "code_sha256": code_sha256(),
                "box_format": "[x1, y1, x2, y2], 0-1000 relative to width and height",
                "splits": splits,
                "versions": {name: version(name) for name in LIBRARIES},
            }
            # The manifest goes first: a kill between these steps then shows as files that do not fit it.
            write_manifest(out, manifest)
            for writer in writers.values():
                writer.publish()
    return manifest, True


def _kept(out: Path, counts: Mapping[str, int], arguments: Mapping[str, Any]) -> dict[str, Any] | None:
    """The manifest of a folder that is already what is asked for; None if it must be made."""
    try:
        manifest = json.loads((out / MANIFEST).read_text())
        made_with = dict(manifest["arguments"])
        hashes = {split: entry["file_sha256"] for split, entry in manifest["splits"].items()}
    except FileNotFoundError:
        if found := [f"{split}.parquet" for split in counts if (out / f"{split}.parquet").exists()]:
            raise ValueError(f"{out} holds {found[0]} but no {MANIFEST}; --force replaces it") from None
        return None
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{out / MANIFEST} cannot be read ({error}); --force makes the data set anew") from error
    if other := differences(made_with, arguments):
        raise ValueError(f"{out} was made with {other}: choose another --out, or --force to replace it")
    if manifest.get("code_sha256") != code_sha256():
        return None
    files = {split: out / f"{split}.parquet" for split in counts}
    intact = all(path.exists() and file_sha256(path) == hashes.get(split) for split, path in files.items())
    return manifest if intact else None
