"""`passrate`: how often stored answers are right, per row, as a column to choose training rows by."""

from __future__ import annotations

import argparse
import json
from collections import Counter
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from tqdm import tqdm

from data_prep.answers import StoredAnswers, read_response
from data_prep.dataset_files import PASS_RATE, TableWriter, open_prepared, read_batches
from data_prep.digests import key_digest
from data_prep.parallel import make_rows
from reward_fns.score import RIGHT, compute_score
from reward_fns.verdict import VerifierError

HELP = "score stored answers and add each row's pass rate as a column, or keep a range of it"

COLUMNS = ("data_source", "reward_model", "extra_info")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m data_prep passrate`."""
    parser.description = (
        "The pass rate of a row is the share of its stored answers whose reward (the accuracy part of compute_score) "
        f"reaches the threshold. It becomes the column {PASS_RATE.name}: null for rows without answers and for rows "
        "that no rule can judge. verl, mix and the other commands read files with and without it."
    )
    parser.epilog = "Exit codes: 0 done, 2 wrong usage or input."
    parser.add_argument("file", type=Path, metavar="FILE", help="prepared parquet file")
    parser.add_argument("--answers", type=Path, nargs="+", required=True, metavar="JSONL", help="lines of "
                        "{data_source, index, response}, or RUN/validation/STEP.jsonl")  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="FILE", help="parquet file to write (may be FILE)")
    parser.add_argument("--filter", type=float, nargs=2, metavar=("MIN", "MAX"), help="write only rows whose pass rate "
                        "lies in this range, ends included; rows without one are left out")  # fmt: skip
    parser.add_argument(
        "--threshold", type=float, default=RIGHT, metavar="X", help="reward of a right answer (default %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the figures as JSON")


def run(arguments: argparse.Namespace) -> int:
    if arguments.workers < 1:
        raise ValueError(f"workers is {arguments.workers}; it must be at least 1")
    if not 0 < arguments.threshold <= 1:
        raise ValueError(f"threshold is {arguments.threshold:g}; it must be above 0 and at most 1")
    if arguments.filter and not arguments.filter[0] <= arguments.filter[1]:
        raise ValueError(f"filter {arguments.filter[0]:g} to {arguments.filter[1]:g} is an empty range")
    if not arguments.out.parent.is_dir():
        raise ValueError(f"--out {arguments.out}: the folder is not there")
    figures = add_pass_rates(
        arguments.file,
        StoredAnswers(arguments.answers),
        arguments.out,
        keep=arguments.filter,
        threshold=arguments.threshold,
        workers=arguments.workers,
    )
    print(json.dumps(figures, indent=2) if arguments.json else as_text(figures))
    return 0


@dataclass(frozen=True)
class GroupScorer:
    """Scores the answers to the rows of a row group; a process gets one of these and the numbers of its jobs."""

    path: Path
    answers: StoredAnswers
    threshold: float

    def row(self, split: str, index: int) -> dict[str, Any]:
        """{rates, answers} of the rows of row group `split`, or {error}."""
        rates: list[float | None] = []
        counts: list[int] = []
        try:
            for start, batch in read_batches(open_prepared(self.path), self.path, columns=COLUMNS, group=int(split)):
                for place, row in enumerate(batch.to_pylist(), start=start):
                    rate, count = self._rate(row, place)
                    rates.append(rate)
                    counts.append(count)
        except ValueError as error:
            return {"error": str(error)}
        return {"rates": rates, "answers": counts}

    def _rate(self, row: dict[str, Any], place: int) -> tuple[float | None, int]:
        extra = row["extra_info"]
        places = self.answers.places(key_digest(row["data_source"], extra["index"]))
        right = judged = 0
        for number, offset in places:
            response = read_response(self.answers.files[number], offset)
            try:
                found = compute_score(row["data_source"], response, row["reward_model"]["ground_truth"], extra)
            except (VerifierError, ValueError) as error:
                raise ValueError(f"{self.path}, row {place}: {error}") from error
            judged += found["verifiable"]
            right += found["verifiable"] and found["accuracy"] >= self.threshold
        return (right / judged if judged else None), len(places)


def add_pass_rates(
    path: Path, answers: StoredAnswers, out: Path, *,
    keep: tuple[float, float] | None = None, threshold: float = RIGHT, workers: int = 1,
) -> dict[str, Any]:  # fmt: skip
    """Copy `path` to `out` with the column, or the rows in the range `keep`; returns what was counted.

    ValueError if no answer belongs to the file, and naming the row that a verifier cannot judge.
    """
    file = open_prepared(path)
    groups, rates_seen = file.num_row_groups, Counter[float]()
    figures = {"rows": file.metadata.num_rows, "written": 0, "answers": len(answers.keys), "answers_used": 0}
    figures |= {"rows_without_answers": 0, "rows_unverifiable": 0}
    figures |= {"answers_without_response": answers.empty, "lines_cut_off": answers.torn}
    results = make_rows(
        GroupScorer(path, answers, threshold), {str(group): 1 for group in range(groups)}, workers=workers
    )
    with TableWriter(out, pass_rate=True) as writer, closing(results):
        with tqdm(total=figures["rows"], desc="passrate", unit="row", disable=None) as bar:
            for group, found in results:
                if "error" in found:
                    raise ValueError(found["error"])
                rates = found["rates"]
                rates_seen.update(rate for rate in rates if rate is not None)
                figures["answers_used"] += sum(found["answers"])
                figures["rows_without_answers"] += found["answers"].count(0)
                unjudged = zip(rates, found["answers"], strict=True)
                figures["rows_unverifiable"] += sum(rate is None and count > 0 for rate, count in unjudged)
                figures["written"] += _copy(file, path, int(group), rates, keep, writer)
                bar.update(len(rates))
        if not figures["answers_used"]:
            raise ValueError(f"none of the {figures['answers']} answers belongs to a row of {path}: another data set?")
        if not figures["written"]:
            raise ValueError(f"no row of {path} has a pass rate in the range {keep}")
        writer.finish()
        writer.publish()
    return {**figures, "pass_rate_counts": {f"{rate:.4g}": rates_seen[rate] for rate in sorted(rates_seen)}}


def _copy(
    file: Any, path: Path, group: int, rates: list[float | None], keep: tuple[float, float] | None, writer: TableWriter
) -> int:
    written = done = 0
    for _, batch in read_batches(file, path, group=group):
        column = pa.array(rates[done : done + batch.num_rows], PASS_RATE.type)
        done += batch.num_rows
        table = pa.Table.from_batches([batch])
        if PASS_RATE.name in table.column_names:
            table = table.drop_columns(PASS_RATE.name)
        table = table.append_column(PASS_RATE, column)
        if keep:
            # A null rate compares to null, which a filter drops.
            table = table.filter(pc.and_(pc.greater_equal(column, keep[0]), pc.less_equal(column, keep[1])))
        writer.write(table)
        written += len(table)
    return written


def as_text(figures: dict[str, Any]) -> str:
    """The counts, and the distribution of the pass rates."""
    lines = [f"{name.replace('_', ' ')}: {value}" for name, value in figures.items() if name != "pass_rate_counts"]
    counts = figures["pass_rate_counts"]
    lines += ["pass rate      rows"] + [f"{rate:>9} {count:>9}" for rate, count in counts.items()]
    return "\n".join(lines)
