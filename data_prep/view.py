"""`view`: a page of sampled rows, to look at before training. One file, no network."""

from __future__ import annotations

import argparse
import heapq
import json
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from tqdm import tqdm

from data_prep.dataset_files import PASS_RATE, open_prepared, parquet_files, read_batches
from data_prep.digests import digest
from data_prep.drawing import Picture, pictures
from data_prep.schema import row_name

HELP = "write a page of sampled rows with images, drawn gold answers, prompts and infos"

TEMPLATES = Path(__file__).parent / "templates"
MAX_TEXT = 4_000
"""characters of a prompt, a gold or an info"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Options of `python -m data_prep view`."""
    parser.epilog = "Exit codes: 0 done, 2 wrong usage or input."
    parser.add_argument("files", nargs="+", type=Path, metavar="FILE", help="parquet file, or folder with some")
    parser.add_argument("--out", type=Path, required=True, metavar="HTML", help="page to write")
    parser.add_argument("--per-task", type=int, default=4, metavar="N", help="rows of each task (default %(default)s)")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="the same seed shows the same rows (default %(default)s)"
    )


def run(arguments: argparse.Namespace) -> int:
    if arguments.per_task < 1:
        raise ValueError(f"per task is {arguments.per_task}; it must be at least 1")
    if not arguments.out.parent.is_dir() or arguments.out.is_dir():
        raise ValueError(f"--out {arguments.out} is no file in a folder that is there")
    files = [path for given in arguments.files for path in parquet_files(given)]
    html, shown = render(files, per_task=arguments.per_task, seed=arguments.seed)
    part = arguments.out.with_name(arguments.out.name + ".part")
    part.write_text(html, encoding="utf-8", errors="replace")
    part.replace(arguments.out)
    print(f"{arguments.out}: {shown} rows")
    return 0


@dataclass(frozen=True)
class Card:
    """One row as the page shows it."""

    name: str
    place: str
    prompt: str
    gold: str
    info: str
    pass_rate: float | None
    videos: list[str]
    pictures: list[Picture]
    problems: list[str]


def render(files: list[Path], *, per_task: int, seed: int) -> tuple[str, int]:
    """The page and the number of rows on it. Autoescaped: whatever comes from the data is text."""
    chosen, total = sample(files, per_task=per_task, seed=seed)
    sections: dict[str, dict[str, list[Card]]] = defaultdict(lambda: defaultdict(list))
    for path, place, row in tqdm(_rows(chosen), desc="view", unit="row", disable=None):
        extra = row["extra_info"]
        sections[extra["category"]][extra["task"]].append(_card(path, place, row))
    page = Environment(loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True)
    shown = sum(len(cards) for tasks in sections.values() for cards in tasks.values())
    html = page.get_template("view.html").render(
        files=[str(path) for path in files],
        total=total,
        shown=shown,
        sections={category: dict(sorted(tasks.items())) for category, tasks in sorted(sections.items())},
    )
    return html, shown


def sample(files: list[Path], *, per_task: int, seed: int) -> tuple[dict[Path, set[int]], int]:
    """{file: places of its chosen rows} and the number of all rows: of every task those of smallest hash."""
    heaps: dict[str, list[tuple[int, Path, int]]] = defaultdict(list)
    total = 0
    for path in files:
        for start, batch in read_batches(open_prepared(path), path, columns=("data_source", "extra_info")):
            for place, row in enumerate(batch.to_pylist(), start=start):
                extra = row["extra_info"]
                rank = digest(f"{seed} view {row['data_source']}/{extra['index']} {place}".encode())
                heap = heaps[extra["task"]]
                # Python's heaps have the smallest on top: the largest of those kept is the one of the smallest -rank.
                if len(heap) < per_task:
                    heapq.heappush(heap, (-rank, path, place))
                else:
                    heapq.heappushpop(heap, (-rank, path, place))
            total += batch.num_rows
    chosen: dict[Path, set[int]] = {path: set() for path in files}
    for heap in heaps.values():
        for _, path, place in heap:
            chosen[path].add(place)
    return chosen, total


def _rows(chosen: dict[Path, set[int]]) -> Iterator[tuple[Path, int, dict[str, Any]]]:
    """The chosen rows; row groups without any are not read."""
    for path, places in chosen.items():
        file, first = open_prepared(path), 0
        for group in range(file.num_row_groups):
            last = first + file.metadata.row_group(group).num_rows
            if any(first <= place < last for place in places):
                for start, batch in read_batches(file, path, group=group):
                    for at in range(batch.num_rows):
                        if start + at in places:
                            yield path, start + at, batch.slice(at, 1).to_pylist()[0]
            first = last


def _card(path: Path, place: int, row: dict[str, Any]) -> Card:
    found, problems = pictures(row)
    text = "\n".join(
        message["content"] if message["role"] == "user" else f"{message['role']}: {message['content']}"
        for message in row["prompt"]
    )
    return Card(
        name=row_name(row),
        place=f"{path.name}, row {place}",
        prompt=_clip(text),
        gold=_clip(row["reward_model"]["ground_truth"]),
        info=_clip(_pretty(row["extra_info"]["info"])),
        pass_rate=row.get(PASS_RATE.name),
        videos=[str(video) for video in row["videos"] or []],
        pictures=found,
        problems=problems,
    )


def _pretty(text: str) -> str:
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return text
    return "" if value == {} else json.dumps(value, indent=1, ensure_ascii=False)


def _clip(text: str) -> str:
    return text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]} … ({len(text)} characters)"
