"""Prepare splits of a data set from the hub or from files: parquet, manifest.json, set_aside.jsonl; resumable."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from importlib.metadata import version
from itertools import islice
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_prep.convert import Conversion, Outcome
from data_prep.folder import MANIFEST, code_sha256, differences, locked, write_manifest, write_whole
from data_prep.images import ImageRules
from data_prep.parallel import CHUNK, map_in_order
from data_prep.parts import PART, Parts, PartWriter
from data_prep.read import READERS, RawRow, hub_rows, local_rows
from data_prep.read_folder import data_files
from data_prep.read_hub import choose, revision_of
from data_prep.source import Options, Source
from data_prep.writer import RowWriter, file_sha256

LIBRARIES = ("datasets", "pyarrow", "pillow", "numpy")
SET_ASIDE = "set_aside.jsonl"


@dataclass(frozen=True)
class Job:
    """One split to prepare, and how."""

    source: Source
    options: Options
    input: Path | None = None
    """File or folder; None: the hub."""
    revision: str | None = None
    images: str = "bytes"
    """bytes or paths"""
    image_root: Path | None = None
    min_pixels: int = 3_136
    max_pixels: int = 1_048_576
    thinking_tag: str = "thinking"
    categories: tuple[str, ...] = ()
    limit: int | None = None
    stop_on_error: bool = False
    """Stop at the first row that would be set aside."""
    workers: int = 1

    def arguments(self) -> dict[str, Any]:
        """What the rows depend on, JSON-serialisable."""
        options = self.options
        return {
            "input": str(self.input.absolute()) if self.input else None, "revision": self.revision,
            "convention": options.convention, "variant": options.variant, "types": list(options.types),
            "pass_rate": list(options.pass_rate) if options.pass_rate else None, "categories": list(self.categories),
            "images": self.images, "image_root": str(self.image_root.absolute()) if self.image_root else None,
            "min_pixels": self.min_pixels, "max_pixels": self.max_pixels, "thinking_tag": self.thinking_tag,
            "limit": self.limit,
        }  # fmt: skip

    def conversion(self, out: Path) -> Conversion:
        """How a raw row becomes rows."""
        folder = self.input.absolute() if self.input else None
        folder = folder.parent if folder and folder.is_file() else folder
        roots = tuple(str(root.absolute()) for root in (self.image_root, folder) if root)
        save_to = str((out / "images").absolute()) if self.images == "paths" else None
        rules = ImageRules(self.min_pixels, self.max_pixels, roots, save_to)
        training = self.options.split.startswith("train")
        return Conversion(self.source, self.options, rules, self.thinking_tag, self.categories, training)


def prepare_source(job: Job, *, out: Path, force: bool = False, progress: bool = True) -> tuple[dict[str, Any], bool]:
    """Make one split in `out`; returns its entry of the manifest, and whether anything had to be made.

    A split made with the same arguments by the same code from the same files, and intact, is kept. Raises ValueError
    for a folder that holds something else (unless `force`), for input that cannot be read, and where no row is usable.
    """
    split = job.options.split
    with locked(out):
        manifest = _manifest(out, job.source.name, force)
        made_with = {"split": split, **job.arguments(), "read": _what_is_read(job), "code": code_sha256("offline")}
        old = manifest["splits"].get(split)
        if old and not force:
            if other := differences(old["arguments"], job.arguments()):
                raise ValueError(
                    f"{out} holds {split} made with {other}: choose another --out, or --force to replace it"
                )
            path = out / f"{split}.parquet"
            if old["made_with"] == made_with and path.is_file() and file_sha256(path) == old["file_sha256"]:
                return old, False
        parts = Parts(out / f".parts-{split}", made_with)
        _convert(job, out, parts, _raw_rows(job, made_with["read"]), progress=progress)
        if not parts.tally.rows:
            raise ValueError(_nothing(job, parts))
        entry = _finish(job, out, parts, made_with, manifest)
        parts.remove()
    return entry, True


def _what_is_read(job: Job) -> Any:
    """Names, sizes and times of the input files, or the hub's commit: a change makes finished work useless."""
    if job.input is None:
        hub = choose(job.source, job.options)
        return {"hub": hub.id, "commit": revision_of(hub, job.revision)}
    files, _ = data_files(job.input, job.source, job.options.split, job.options.variant, suffixes=tuple(READERS))
    return [[str(file), file.stat().st_size, file.stat().st_mtime_ns] for file in files if file.is_file()]


def _raw_rows(job: Job, read: Any) -> Iterator[RawRow]:
    if job.input is not None:
        return local_rows(job.input, job.source, job.options)
    return hub_rows(job.source, job.options, read["commit"])


def _convert(job: Job, out: Path, parts: Parts, rows: Iterator[RawRow], *, progress: bool) -> None:
    """Make the parts that are not there yet from all raw rows."""
    raw = islice(rows, parts.tally.raw, None)
    done: list[list[RawRow]] = []

    def chunks() -> Iterator[list[RawRow]]:
        while chunk := list(islice(raw, CHUNK)):
            done.append(chunk)
            yield chunk

    def outcomes(results: Iterable[list[Outcome]]) -> Iterator[tuple[RawRow, Outcome]]:
        for result in results:
            yield from zip(done.pop(0), result, strict=True)

    results = map_in_order(job.conversion(out), chunks(), workers=job.workers)
    total = job.limit or job.source.rows.get(job.options.split)
    with closing(results), tqdm(total=total, unit="row", disable=not progress, initial=parts.tally.rows) as bar:
        pairs, more = outcomes(results), True
        while more:
            with PartWriter(parts, job.limit) as part:
                more = False
                while part.raw < PART and not part.full and (pair := next(pairs, None)):
                    _stop_if_asked(job, *pair)
                    before = parts.tally.rows
                    part.add(*pair)
                    bar.update(parts.tally.rows - before)
                    more = not part.full
                if part.raw:
                    part.finish()


def _stop_if_asked(job: Job, raw: RawRow, outcome: Outcome) -> None:
    if job.stop_on_error and outcome.set_aside:
        reason, detail = outcome.set_aside[0]
        named = f" (id {outcome.id})" if outcome.id else ""
        raise ValueError(f"{raw.file}: row {raw.place}{named}: {reason}{f': {detail}' if detail else ''}")


def _nothing(job: Job, parts: Parts) -> str:
    tally, name = parts.tally, f"{job.source.name} {job.options.split}"
    if not tally.raw:
        return f"{name}: the input holds no rows"
    first = next(parts.set_aside(), None)
    if first is None:
        return f"{name}: none of {tally.raw} rows was asked for (of another split, type or category)"
    detail = f": {first['detail']}" if first["detail"] else ""
    return (
        f"{name}: none of {tally.raw} rows can be used; {first['file']}: row {first['row']}: {first['reason']}{detail}"
    )


def _finish(job: Job, out: Path, parts: Parts, made_with: dict[str, Any], manifest: dict[str, Any]) -> dict[str, Any]:
    """The split's file, its list of rows set aside, and the manifest, from the finished parts."""
    split, tally = job.options.split, parts.tally
    with RowWriter(out / f"{split}.parquet") as writer:
        for row in parts.rows():
            writer.write(row)
        summary = writer.finish()
        entry = {
            **summary,
            "raw_rows": tally.raw, "skipped": tally.skipped, "filtered": tally.filtered,
            "published_rows": job.source.rows.get(split), "unverifiable": tally.unverifiable,
            "repaired": dict(sorted(tally.repaired.items())), "set_aside": dict(sorted(tally.set_aside.items())),
            "arguments": job.arguments(), "made_with": made_with,
        }  # fmt: skip
        manifest["splits"][split] = entry
        manifest["versions"] = {name: version(name) for name in LIBRARIES}
        path = out / SET_ASIDE
        kept = path.read_text(encoding="utf-8").splitlines() if path.is_file() else []
        lines = [line for line in kept if json.loads(line)["split"] != split]
        lines += [json.dumps({"split": split, **each}, ensure_ascii=False) for each in parts.set_aside()]
        write_whole(path, "".join(f"{line}\n" for line in lines))
        # The manifest goes first: a kill between these steps then shows as a file that does not fit it.
        write_manifest(out, manifest)
        writer.publish()
    return entry


def _manifest(out: Path, name: str, force: bool) -> dict[str, Any]:
    """The manifest of the folder, to be added to; an empty one for a new folder."""
    new: dict[str, Any] = {"source": name, "splits": {}}
    try:
        found = json.loads((out / MANIFEST).read_text(encoding="utf-8"))
        splits = found["splits"]
        if found.get("source") == name and all(isinstance(entry["made_with"], dict) for entry in splits.values()):
            return found
        what = f"{found.get('source') or 'another data set'}, not {name}"
    except FileNotFoundError:
        files = [] if force else sorted(path.name for path in out.glob("*.parquet"))
        what = f"{files[0]} but no {MANIFEST}" if files else ""
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        what = f"a {MANIFEST} that cannot be read ({error})"
    if what and not force:
        raise ValueError(f"{out} holds {what}: choose another --out, or --force to replace it")
    return new
