"""The benchmarks' table: of a run's validation, or of stored answers scored here without a model or a GPU.

    python -m verl_ext.evaluate table RUN/validation/100.jsonl --data val.parquet
    python -m verl_ext.evaluate score answers.jsonl --data val.parquet --out scored.jsonl

Both print each benchmark's figure as its authors aggregate it, with 95 % intervals, and the paper's figures beside it.
`score` writes the lines that validation inside a run writes, so the same table comes from either. It knows no tokens:
its `score` is the reward without the length part.
`examples/train/evaluate.sh` makes the answers: verl's validation of a model over any of the 18.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_prep.answers import StoredAnswers, read_response
from data_prep.dataset_files import open_prepared, read_batches
from data_prep.digests import key_digest
from reward_fns.aggregate import benchmark_table, overall
from reward_fns.aggregate_figures import Figure, table
from reward_fns.aggregate_rows import read_validation
from reward_fns.score import compute_score
from reward_fns.settings import RewardSettings

# arXiv 2604.08539: (Qwen3-VL-8B-Instruct, OpenVLThinkerV2) in percent, OCRBench in points; None where the paper gives
# none. It scores with VLMEvalKit, grounding with OneThinker's scripts.
PAPER: dict[str, tuple[float | None, float | None]] = {
    "mmmu": (60.2, 71.6),
    "mmbench": (85.1, 88.2),
    "mmstar": (68.5, 73.8),
    "mathvista": (74.2, 79.5),
    "chartqa": (82.8, 87.4),
    "charxiv": (44.5, 53.0),
    "docvqa": (None, 96.7),
    "ocrbench": (None, 911),
    "infovqa": (None, 86.4),
    "embspatial": (None, 83.1),
    "refspatial": (43.9, 44.6),
    "robospatial": (None, 63.2),
    "refcoco": (None, 93.4),
    "refcoco+": (None, 88.2),
    "refcocog": (None, 90.4),
}


def score(answers: Sequence[Path], data: Sequence[Path], settings: RewardSettings) -> Iterator[dict[str, Any]]:
    """The result of every stored answer to the rows of `data`, as validation inside a run writes it.

    ValueError naming the file if none of the answers belongs to it; rows without an answer are counted in a warning.
    """
    stored = StoredAnswers(answers)
    for path in data:
        file = open_prepared(path)
        unanswered = used = 0
        columns = ("data_source", "reward_model", "extra_info")
        with tqdm(total=file.metadata.num_rows, desc=path.name, unit="row", disable=None) as bar:
            for _, batch in read_batches(file, path, columns=columns):
                for row in batch.to_pylist():
                    extra = row["extra_info"]
                    places = stored.places(key_digest(row["data_source"], extra["index"]))
                    unanswered += not places
                    for number, offset in places:
                        response = read_response(stored.files[number], offset)
                        truth = row["reward_model"]["ground_truth"]
                        result = compute_score(row["data_source"], response, truth, extra, settings=settings)
                        used += 1
                        yield {"row": f"{row['data_source']}/{extra['index']}", "output": response, **result}
                bar.update(batch.num_rows)
        if not used:
            raise ValueError(f"none of the {len(stored.keys)} answers belongs to a row of {path}: another data set?")
        if unanswered:
            print(f"warning: {path}: {unanswered} of {file.metadata.num_rows} rows have no answer", file=sys.stderr)


def unanswered(records: Sequence[Mapping[str, Any]], data: Sequence[Path]) -> Iterator[str]:
    """A warning for every file with rows that no record answers: cut off, filtered by length, or failed."""
    answered = {record["row"] for record in records}
    for path in data:
        file = open_prepared(path)
        missing = sum(
            f"{row['data_source']}/{row['extra_info']['index']}" not in answered
            for _, batch in read_batches(file, path, columns=("data_source", "extra_info"))
            for row in batch.to_pylist()
        )
        if missing:
            yield f"warning: {path}: {missing} of {file.metadata.num_rows} rows are not in the validation"


def full_table(figures: Sequence[Figure]) -> str:
    """The figures, and the primary ones beside the paper's."""
    lines = [table([*figures, *overall(figures)]), ""]
    lines.append(f"{'primary figure':<28}{'here':>8}{'± SE':>7}  {'Qwen3-VL-8B':>12}{'OpenVLThinkerV2':>17}   (paper)")
    for figure in figures:
        if not figure.is_primary:
            continue
        scale = 1 if figure.unit == "points" else 100
        before, after = (
            ("-" if value is None else f"{value:g}") for value in PAPER.get(figure.benchmark, (None, None))
        )
        se = "-" if figure.se is None else f"{scale * figure.se:.1f}"
        lines.append(f"{figure.benchmark:<28}{scale * figure.value:>8.1f}{se:>7}  {before:>12}{after:>17}")
    return "\n".join(lines)


def write_lines(records: Iterator[dict[str, Any]], out: Path) -> None:
    """One JSON object a line; the file has its name only when it is complete."""
    part = out.with_name(out.name + ".partial")
    try:
        with part.open("w", encoding="utf-8") as file:
            for record in records:
                file.write(json.dumps(record, ensure_ascii=False) + "\n")
        part.replace(out)
    finally:
        part.unlink(missing_ok=True)


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m verl_ext.evaluate", description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    show = commands.add_parser("table", help="the table of validation JSONL that a run wrote")
    show.add_argument("validation", type=Path, nargs="+", help="RUN/validation/STEP.jsonl")
    judge = commands.add_parser("score", help="score stored answers, write them with their verdicts, print the table")
    judge.add_argument("answers", type=Path, nargs="+", help="lines of {data_source, index, response}")
    judge.add_argument("--out", type=Path, required=True, help="JSONL to write")
    judge.add_argument(
        "--thinking-tag", choices=("thinking", "think"), default="thinking", help="(default %(default)s)"
    )
    for command in (show, judge):
        command.add_argument("--data", type=Path, nargs="+", required=True, help="prepared parquet files of the rows")
        command.add_argument("--json", type=Path, metavar="FILE", help="also write the figures as JSON")
    options = parser.parse_args(argv)
    try:
        if options.command == "score":
            settings = RewardSettings(thinking_tag=options.thinking_tag)
            write_lines(score(options.answers, options.data, settings), options.out)
            records = read_validation(options.out, options.data)
        else:
            records = [record for path in options.validation for record in read_validation(path, options.data)]
            for warning in unanswered(records, options.data):
                print(warning, file=sys.stderr)
        figures = benchmark_table(records)
        if options.json:
            entries = [{name: getattr(one, name) for name in Figure.__slots__} for one in figures]
            options.json.write_text(json.dumps(entries, indent=2) + "\n")
    except (ValueError, OSError, KeyError) as error:
        sys.exit(f"error: {error}")
    print(full_table(figures))


if __name__ == "__main__":
    main()
