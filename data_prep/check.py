"""`check`: everything that must hold of prepared files before a model trains on them."""

from __future__ import annotations

import argparse
import json
from collections import Counter, defaultdict
from contextlib import closing
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from typing import Any

from tqdm import tqdm

from data_prep.check_rows import Rules, load_processor, row_problems
from data_prep.dataset_files import open_any, open_prepared, parquet_files, read_batches, schema_problems
from data_prep.digests import Places, content_digests, key_digest, repeats, shared
from data_prep.parallel import make_rows
from data_prep.schema import row_name

HELP = "check prepared files: schema, images, gold answers, ranges, leakage, duplicates, prompt lengths"

REASONS = {
    "schema": "columns differ from the row schema (the file is not read further)",
    "unreadable": "rows that parquet cannot read",
    "row": "fields that do not fit, <image> or <video> marks that do not equal images or videos",
    "image": "images that cannot be decoded",
    "task": "tasks that the registry does not know",
    "truth": "ground truths that the verifier cannot use",
    "gold": "gold answers that do not score 1 (official, reward and format)",
    "range": "boxes, points or corners out of range",
    "prompt length": "prompts over --max-prompt-length",
    "duplicate": "data_source and index that another row of the file has",
    "leak": "images that stand in a training and in a held-out file",
}
SHOWN = 5


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m data_prep check`."""
    parser.epilog = "Exit codes: 0 nothing wrong, 1 something wrong (see the report), 2 wrong usage or input."
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="parquet file, or folder with some")
    parser.add_argument("--val", nargs="*", type=Path, metavar="FILE", help="held-out files, which must share no image "
                        "(or video, or prompt without either) with FILE; without --val no two files may share one; "
                        "--val alone switches this off")  # fmt: skip
    parser.add_argument(
        "--processor", type=Path, metavar="DIR", help="model folder whose processor counts prompt tokens"
    )
    parser.add_argument(
        "--max-prompt-length", type=int, default=1024, metavar="N", help="in tokens (default %(default)s)"
    )
    parser.add_argument("--workers", type=int, default=2, metavar="N", help="processes (default %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the report as JSON")


def run(arguments: argparse.Namespace) -> int:
    if arguments.workers < 1:
        raise ValueError(f"workers is {arguments.workers}; it must be at least 1")
    if arguments.max_prompt_length < 1:
        raise ValueError(f"max prompt length is {arguments.max_prompt_length}; it must be at least 1")
    if arguments.processor:
        load_processor(arguments.processor)
    rules = Rules(arguments.processor, arguments.max_prompt_length)
    files = [path for given in arguments.files for path in parquet_files(given)]
    held_out = None if arguments.val is None else [path for given in arguments.val for path in parquet_files(given)]
    report = check_files(files, held_out, rules, workers=arguments.workers)
    print(json.dumps(report.as_json(), indent=2, ensure_ascii=False) if arguments.json else report.as_text())
    return 1 if report.counts else 0


@dataclass
class Report:
    """What was found."""

    rows: dict[str, int] = field(default_factory=dict)
    """per file"""
    counts: Counter[str] = field(default_factory=Counter)
    """per reason"""
    first: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: defaultdict(list))
    """per reason the first {file, row, name, message}"""
    unverifiable: int = 0
    """rows without a verdict: no fault"""

    def add(self, reason: str, file: Path, row: int | None, name: str, message: str) -> None:
        self.counts[reason] += 1
        if len(self.first[reason]) < SHOWN:
            self.first[reason].append({"file": str(file), "row": row, "name": name, "message": message})

    def as_json(self) -> dict[str, Any]:
        return {
            "rows": self.rows,
            "unverifiable": self.unverifiable,
            "problems": {
                reason: {"meaning": meaning, "count": self.counts[reason], "first": self.first[reason]}
                for reason, meaning in REASONS.items()
                if self.counts[reason]
            },
        }

    def as_text(self) -> str:
        lines = [f"{file}: {rows} rows" for file, rows in self.rows.items()]
        lines += [f"unverifiable rows, gold not checked: {self.unverifiable}"] if self.unverifiable else []
        for reason, meaning in REASONS.items():
            if count := self.counts[reason]:
                lines += ["", f"{reason}: {count} ({meaning})"]
                for each in self.first[reason]:
                    place = each["file"] if each["row"] is None else f"{each['file']}, row {each['row']}"
                    named = f" ({each['name']})" if each["name"] else ""
                    lines.append(f"  {place}{named}: {each['message']}")
                lines += ["  …"] if count > len(self.first[reason]) else []
        return "\n".join([*lines, "", f"problems: {self.counts.total()}" if self.counts else "nothing wrong"])


@dataclass(frozen=True)
class GroupChecker:
    """Checks the row groups of files; a process gets one of these and the numbers of its jobs."""

    jobs: tuple[tuple[Path, int], ...]
    """(file, row group)"""
    rules: Rules

    def row(self, split: str, index: int) -> dict[str, Any]:
        """The problems and digests of job `split`."""
        path, group = self.jobs[int(split)]
        found: dict[str, Any] = {"rows": 0, "problems": [], "keys": [], "contents": []}
        try:
            for start, batch in read_batches(open_prepared(path), path, group=group):
                for place, row in enumerate(batch.to_pylist(), start=start):
                    problems = list(row_problems(row, self.rules))
                    found["problems"] += [(reason, place, row_name(row), message) for reason, message in problems]
                    found["keys"].append((key_digest(row["data_source"], row["extra_info"]["index"]), place))
                    if all(reason != "row" for reason, _ in problems):
                        found["contents"] += [(each, place) for each in content_digests(row)]
                found["rows"] += batch.num_rows
        except ValueError as error:
            found["problems"].append(("unreadable", None, "", str(error)))
        return found


def check_files(files: list[Path], held_out: list[Path] | None, rules: Rules, *, workers: int = 1) -> Report:
    """Check `files` and `held_out`; None: any two of `files` are held out from each other."""
    report, everything = Report(), list(dict.fromkeys([*files, *(held_out or [])]))
    jobs, total = [], 0
    for path in everything:
        try:
            file = open_any(path)
        except ValueError as error:
            report.add("unreadable", path, None, "", str(error))
            continue
        problems = schema_problems(file.schema_arrow)
        for problem in problems:
            report.add("schema", path, None, "", problem)
        report.rows[str(path)] = file.metadata.num_rows
        if not problems:
            jobs += [(path, group) for group in range(file.num_row_groups)]
            total += file.metadata.num_rows
    keys, contents = ({path: Places() for path in everything} for _ in range(2))
    checker = GroupChecker(tuple(jobs), rules)
    results = make_rows(checker, {str(number): 1 for number in range(len(jobs))}, workers=workers)
    with closing(results), tqdm(total=total, desc="check", unit="row", disable=None) as bar:
        for number, found in results:
            path = jobs[int(number)][0]
            for reason, place, name, message in found["problems"]:
                if reason == "unverifiable":
                    report.unverifiable += 1
                else:
                    report.add(reason, path, place, name, message)
            for places, entries in ((keys[path], found["keys"]), (contents[path], found["contents"])):
                for entry in entries:
                    places.add(*entry)
            bar.update(found["rows"])
    for path in everything:
        for row, earlier in repeats(keys[path]):
            report.add("duplicate", path, row, "", f"the same data_source and index as row {earlier}")
    pairs = combinations(files, 2) if held_out is None else ((one, two) for one in files for two in held_out)
    for one, two in pairs:
        for row, other in shared(contents[two], contents[one]):
            report.add("leak", two, row, "", f"an image, video or prompt that row {other} of {one} has")
    return report
