"""`mix`: one training file (and a held-out one) from several prepared sources."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_prep.dataset_files import TableWriter
from data_prep.mix_draw import Drawn, Pick, Recipe, draw
from data_prep.mix_sources import Index, Source, index_sources, read_sources
from data_prep.mix_write import write_rows
from data_prep.writer import file_sha256

HELP = "mix prepared files by weights or counts, with a held-out split"
MIXTURE = "mixture.json"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m data_prep mix`."""
    parser.description = (
        "Draw rows from prepared files into DIR/train.parquet, in a shuffled order, and write what went in to "
        "DIR/mixture.json. Without weights a source weighs as many rows as it has. Unverifiable rows stay out."
    )
    parser.epilog = "Exit codes: 0 made or already there, 2 wrong usage or input."
    parser.add_argument("sources", nargs="+", metavar="SOURCE", help="[NAME=]PATH, PATH:WEIGHT or PATH:Nrows, where a "
                        "folder stands for its train.parquet or, without one, for all its parquet files; or one YAML "
                        "or JSON file {NAME: {path: PATH, weight: 2}} or {NAME: {path: PATH, rows: 100}}")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder to write")
    parser.add_argument("--rows", type=int, metavar="N", help="training rows (default: as many as there are without "
                        "repeating a row or leaving the shares)")  # fmt: skip
    parser.add_argument("--temperature", type=float, default=1.0, metavar="T", help="share of a source ~ weight^(1/T): "
                        "1 keeps the weights, larger ones make sources more equal (default %(default)s)")  # fmt: skip
    parser.add_argument("--balance", choices=("category", "task"), help="each category or task gets as many rows; the "
                        "sources keep their proportions inside it")  # fmt: skip
    parser.add_argument("--held-out", type=int, default=0, metavar="N", help="rows for DIR/val.parquet in the same "
                        "shares; rows that share an image, a video or (without either) the prompt with one of them "
                        "stay out of training")  # fmt: skip
    parser.add_argument("--pass-rate", type=float, nargs=2, metavar=("MIN", "MAX"), help="only rows whose column "
                        "pass_rate lies in this range, ends included")  # fmt: skip
    parser.add_argument("--repeat", action="store_true", help="draw rows again where a source is too small; copies get "
                        "new indices")  # fmt: skip
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="the same seed gives the same rows (default %(default)s)"
    )
    parser.add_argument(
        "--force", action="store_true", help="replace train.parquet, val.parquet and mixture.json in DIR"
    )


def run(arguments: argparse.Namespace) -> int:
    recipe = Recipe(
        seed=arguments.seed,
        rows=arguments.rows,
        held_out=arguments.held_out,
        temperature=arguments.temperature,
        balance=arguments.balance,
        repeat=arguments.repeat,
    )
    sources = read_sources(arguments.sources)
    _refuse(sources, recipe, arguments.pass_rate)
    mixture, made = mix(sources, recipe, out=arguments.out, pass_range=arguments.pass_rate, force=arguments.force)
    print(f"{arguments.out}: {'made' if made else 'already there, nothing to do'}")
    print(as_text(mixture))
    return 0


def _refuse(sources: Sequence[Source], recipe: Recipe, pass_range: Sequence[float] | None) -> None:
    if recipe.rows is not None and recipe.rows < 1:
        raise ValueError(f"rows is {recipe.rows}; it must be at least 1")
    if recipe.held_out < 0:
        raise ValueError(f"held-out is {recipe.held_out}; it must be at least 0")
    if pass_range and not pass_range[0] <= pass_range[1]:
        raise ValueError(f"pass rate {pass_range[0]:g} to {pass_range[1]:g} is an empty range")
    if sources[0].rows is not None and (recipe.rows is not None or recipe.balance or recipe.temperature != 1):
        raise ValueError("sources with numbers of rows leave nothing to --rows, --temperature and --balance")
    if recipe.repeat and recipe.rows is None and sources[0].rows is None:
        raise ValueError("--repeat needs --rows N: without it no row is drawn twice")


def mix(
    sources: Sequence[Source],
    recipe: Recipe,
    *,
    out: Path,
    pass_range: Sequence[float] | None = None,
    force: bool = False,
) -> tuple[dict[str, Any], bool]:
    """Make the mixture in `out`; returns mixture.json and whether anything had to be made.

    Files appear under their names only when all are complete. ValueError for a folder that holds something else.
    """
    settings = {**asdict(recipe), "pass_rate": pass_range and [*pass_range]}
    named = {
        source.name: {"path": str(source.path), "weight": source.weight, "rows": source.rows} for source in sources
    }
    with tqdm(desc="read", unit="row", disable=None) as bar:
        index = index_sources(sources, (pass_range[0], pass_range[1]) if pass_range else None, bar)
    for paths in index.files.values():
        if inside := [path for path in paths if path.resolve().parent == out.resolve()]:
            raise ValueError(f"--out {out} is the folder of the source {inside[0]}; choose another")
    hashes = {name: {str(path): file_sha256(path) for path in paths} for name, paths in index.files.items()}
    asked = json.loads(json.dumps({"settings": settings, "sources": named, "hashes": hashes}))
    if found := _kept(out, asked, force):
        return found, False
    drawn = draw(index.rows, sources, recipe)
    out.mkdir(parents=True, exist_ok=True)
    splits = {"train": drawn.train} | ({"val": drawn.held_out} if drawn.held_out else {})
    with ExitStack() as stack:
        writers = {
            name: stack.enter_context(TableWriter(out / f"{name}.parquet", pass_rate=index.pass_rate))
            for name in splits
        }
        total = 2 * sum(map(len, splits.values()))
        with tqdm(total=total, desc="write", unit="row", disable=None) as bar:
            for name, picks in splits.items():
                write_rows(picks, writers[name], bar)
                writers[name].finish()
        made = {name: file_sha256(writer.partial) for name, writer in writers.items()}
        mixture = {"asked": asked, **_summary(index, drawn, splits, made)}
        partial = out / f"{MIXTURE}.partial"
        partial.write_text(json.dumps(mixture, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
        # What describes the files goes first: a kill between these steps then shows as files that do not fit it.
        partial.replace(out / MIXTURE)
        for writer in writers.values():
            writer.publish()
    if "val" not in splits:
        (out / "val.parquet").unlink(missing_ok=True)
    return mixture, True


def _kept(out: Path, asked: Mapping[str, Any], force: bool) -> dict[str, Any] | None:
    """The mixture of a folder that is already what is asked for; None if it must be made."""
    there = [name for name in (MIXTURE, "train.parquet", "val.parquet") if (out / name).exists()]
    if force or not there:
        return None
    try:
        mixture = json.loads((out / MIXTURE).read_text(encoding="utf-8"))
        hashes = {name: split["file_sha256"] for name, split in mixture["splits"].items()}
        other = mixture["asked"] != asked
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{out} holds {there[0]}, but no {MIXTURE} that can be read; --force replaces it") from None
    if other:
        raise ValueError(f"{out} holds a mixture of other sources or settings: choose another --out, or --force")
    files = {name: out / f"{name}.parquet" for name in hashes}
    intact = all(path.exists() and file_sha256(path) == hashes[name] for name, path in files.items())
    return mixture if intact else None


def _summary(
    index: Index, drawn: Drawn, splits: Mapping[str, Sequence[Pick]], hashes: Mapping[str, str]
) -> dict[str, Any]:
    there = Counter(row.source for row in index.rows)
    return {
        "sources": {
            name: {
                "rows": there[name] + left_out.total(),
                "left_out": dict(sorted(left_out.items())),
                "share_asked": round(drawn.shares[name], 6),
                "share": round(sum(pick.row.source == name for pick in drawn.train) / len(drawn.train), 6),
            }
            for name, left_out in index.left_out.items()
        },
        "shares_an_image_with_a_held_out_row": drawn.shadowed,
        "splits": {
            name: {
                "rows": len(picks),
                "repeated_rows": sum(pick.copy > 0 for pick in picks),
                "sources": _count(pick.row.source for pick in picks),
                "categories": _count(pick.row.category for pick in picks),
                "tasks": _count(pick.row.task for pick in picks),
                "data_sources": _count(pick.row.data_source for pick in picks),
                "file_sha256": hashes[name],
            }
            for name, picks in splits.items()
        },
    }


def _count(names: Any) -> dict[str, int]:
    return dict(sorted(Counter(names).items()))


def as_text(mixture: Mapping[str, Any]) -> str:
    """What went in, as a table."""
    splits = mixture["splits"]
    lines = ["".join([f"{'rows':<32}", *(f"{name:>16}" for name in splits)])]
    for block in ("sources", "categories", "tasks"):
        lines.append(block)
        for name in sorted({name for split in splits.values() for name in split[block]}):
            cells = [(split[block].get(name, 0), split["rows"]) for split in splits.values()]
            shown = "".join(f"{count:>8} {100 * count / whole:>5.1f} %" for count, whole in cells)
            lines.append(f"  {name:<30}{shown}")
    lines.append("".join([f"{'all':<32}", *(f"{split['rows']:>8}{'':>8}" for split in splits.values())]))
    for name, source in mixture["sources"].items():
        lines += [f"left out of {name}: {count} {reason}" for reason, count in source["left_out"].items()]
    if shadowed := mixture["shares_an_image_with_a_held_out_row"]:
        lines.append(f"left out of training: {shadowed} that share an image, video or prompt with a held-out row")
    if repeated := splits["train"]["repeated_rows"]:
        lines.append(f"drawn again: {repeated}, with new indices")
    return "\n".join(line.rstrip() for line in lines)
