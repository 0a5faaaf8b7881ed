"""A benchmark's own table from validation rows, as its authors (or the harness that papers quote) aggregate.

    python -m verl_ext.evaluate table RUN/validation/100.jsonl --data val.parquet

| benchmark | primary figure | keys read from `info` |
| --- | --- | --- |
| mmmu, ai2d, docvqa, infovqa | mean over the questions | |
| mmbench | circular: groups with every roll right | `group`; `choices` says how many rolls a group has |
| mmstar | mean of the second-level categories | `l2_category`, `category` |
| mathvista | mean over the questions | `question_type`, `answer_type` |
| mathverse | "w/o": mean of the problem versions but Text Only | `problem_version` |
| mathvision | mean over the questions | `subject`, `level` |
| chartqa | mean over the questions | `type` |
| charxiv | mean over the questions that rules can decide | `inst_category` |
| embspatial | mean over the questions | `relation` |
| refspatial | mean of the splits | `split` |
| robospatial | mean of the three categories (README) | `category` |
| ocrbench | hits, of 1,000 | `question_type` |
| refcoco, refcoco+, refcocog | mean of the splits | `split` |

Rows without a verdict are left out and counted. A key that is missing in any row makes its break-down absent; where the
primary figure needs it, the mean over the questions stands in, and its note says so. Every other task gets its mean.
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from .aggregate_figures import Figure, mean_figure, mean_of_figures, normal_interval
from .aggregate_rows import Item, read_items
from .registry import TASKS

BENCHMARKS = (
    *("mmmu", "mmbench", "mmstar", "mathvista", "mathverse", "mathvision", "ai2d", "chartqa", "charxiv"),
    *("embspatial", "refspatial", "robospatial", "docvqa", "infovqa", "ocrbench", "refcoco", "refcoco+", "refcocog"),
)
GROUNDING = ("refcoco", "refcoco+", "refcocog")
OCRBENCH_ITEMS = 1_000


@dataclass(frozen=True, slots=True)
class _Rule:
    by: tuple[str, ...] = ()
    """Keys of `info` by which the table breaks down."""
    mean_of: str = ""
    """The primary figure is the unweighted mean of the figures by this key."""
    apart: tuple[str, ...] = ()
    """Values of `mean_of` that do not enter it."""


_RULES = {
    "mmstar": _Rule(by=("category",), mean_of="l2_category"),
    "mathvista": _Rule(by=("question_type", "answer_type")),
    # The "All" of the authors' leaderboard is the mean of the five versions that show the figure.
    "mathverse": _Rule(mean_of="problem_version", apart=("Text Only",)),
    "mathvision": _Rule(by=("subject", "level")),
    "chartqa": _Rule(by=("type",)),
    "charxiv": _Rule(by=("inst_category",)),
    "embspatial": _Rule(by=("relation",)),
    "refspatial": _Rule(mean_of="split"),
    "robospatial": _Rule(mean_of="category"),
    "ocrbench": _Rule(by=("question_type",)),
    **dict.fromkeys(GROUNDING, _Rule(mean_of="split")),
}


def benchmark_table(rows: Iterable[Mapping[str, Any]]) -> list[Figure]:
    """The tables of all tasks that `rows` hold (see `aggregate_rows.read_items`), in the registry's order.

    A benchmark whose rows all lack a verdict has no figure but an entry of value nan.
    """
    items = read_items(rows)
    return [figure for task in TASKS if task in items for figure in _table(task, items[task])]


def _table(task: str, items: Sequence[Item]) -> list[Figure]:
    rule = _RULES.get(task, _Rule())
    pooled = mean_figure(task, "all questions", items)
    figures = [figure for key in (rule.mean_of, *rule.by) if key for figure in _broken_down(task, key, items)]
    if task == "mmbench":
        return _circular(items, pooled)
    if task == "ocrbench":
        return [_points(pooled), pooled, *figures]
    if not rule.mean_of:
        return [replace(pooled, is_primary=True), *figures]
    apart = {_key(f"{rule.mean_of}/{value}") for value in rule.apart}
    parts = [each for each in figures if each.name.startswith(f"{rule.mean_of}/") and _key(each.name) not in apart]
    if not parts:
        lacking = sum(item.value(rule.mean_of) is None for item in items)
        note = f"{lacking} rows without {rule.mean_of}" if lacking else f"only {', '.join(rule.apart)}"
        return [replace(pooled, is_primary=True, note=f"{note}: mean over the questions"), *figures]
    whole = replace(mean_of_figures(task, f"mean of {rule.mean_of}", parts), is_primary=True)
    return [whole, pooled, *figures]


def _broken_down(task: str, key: str, items: Sequence[Item]) -> list[Figure]:
    """A figure for each value of a key; none if a row lacks it, because each figure would then lack rows unseen."""
    parts: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        value = item.value(key)
        if value is None:
            return []
        parts[value].append(item)
    return [mean_figure(task, f"{key}/{value}", parts[value]) for value in sorted(parts)]


def _circular(items: Sequence[Item], per_roll: Figure) -> list[Figure]:
    """A group is right if all its rolls are. Groups that lack a roll, or a roll's verdict, are left out and named.

    With several responses to a roll, a group's value is the product of its rolls' means: the expected figure.
    """
    groups: dict[str, list[Item]] = defaultdict(list)
    for item in items:
        groups[item.value("group") or ""].append(item)
    if "" in groups:
        note = f"{len(groups[''])} rows without group: no circular figure"
        return [replace(per_roll, name="per roll", is_primary=True, note=note)]
    whole, broken = [], []
    for name, rolls in groups.items():
        values = [roll.acc for roll in rolls if roll.acc is not None]
        if len(values) < max(len(rolls), *(len(roll.info.get("choices") or ()) for roll in rolls)):
            broken.append(name)
        else:
            whole.append(Item(name, "mmbench", math.prod(values), {}))
    named = ", ".join(sorted(broken)[:5]) + ", …" * (len(broken) > 5)
    note = f"{len(broken)} groups lack rolls: {named}" if broken else ""
    se = _clustered(groups, per_roll.value)
    low, high = normal_interval(per_roll.value, se)
    per_roll = replace(per_roll, name="per roll", se=se, low=low, high=high)
    if not whole:
        return [replace(per_roll, is_primary=True, note=f"no circular figure: {note}")]
    circular = replace(mean_figure("mmbench", "circular", whole), is_primary=True, note=note)
    return [replace(circular, left_out=per_roll.left_out), per_roll]


def _clustered(groups: Mapping[str, Sequence[Item]], mean: float) -> float | None:
    """Standard error of the mean over rolls, which are not independent within a group."""
    sums = [[roll.acc - mean for roll in rolls if roll.acc is not None] for rolls in groups.values()]
    sums = [gaps for gaps in sums if gaps]
    if len(sums) < 2:
        return None
    spread = math.fsum(math.fsum(gaps) ** 2 for gaps in sums) * len(sums) / (len(sums) - 1)
    return math.sqrt(spread) / sum(map(len, sums))


def _points(pooled: Figure) -> Figure:
    """Hits as the authors count them; with fewer than the 1,000 questions it is no OCRBench score yet."""
    n, note = pooled.n, "" if pooled.n == OCRBENCH_ITEMS else f"{pooled.n} of {OCRBENCH_ITEMS} questions judged"
    if not n:
        return replace(pooled, name="total", is_primary=True)
    return replace(_scaled(pooled, n), name="total", is_primary=True, unit="points", note=note)


def overall(figures: Sequence[Figure]) -> list[Figure]:
    """Unweighted means of the primary figures per category and over all 18 (points count as shares).

    The mean over the eight splits of RefCOCO, RefCOCO+ and RefCOCOg, which VLMEvalKit prints, comes first if all are
    there. Notes name the benchmarks that are missing.
    """
    primary = {figure.benchmark: _share(figure) for figure in figures if figure.is_primary and figure.n}
    splits = [figure for figure in figures if figure.benchmark in GROUNDING and figure.name.startswith("split/")]
    found = []
    if len(splits) == 8:
        found.append(mean_of_figures("refcoco, +, g", "mean of 8 splits", splits))
    categories: dict[str, list[str]] = defaultdict(list)
    for name in BENCHMARKS:
        categories[TASKS[name].category].append(name)
    for category, names in {**categories, "overall": list(BENCHMARKS)}.items():
        parts = [primary[name] for name in names if name in primary]
        if parts:
            lost = [name for name in names if name not in primary]
            note = f"without {', '.join(lost)}" if lost else ""
            found.append(mean_of_figures(category, "mean of benchmarks", parts, note))
    return found


def _share(figure: Figure) -> Figure:
    return replace(_scaled(figure, 1 / figure.n), unit="share") if figure.unit == "points" else figure


def _scaled(figure: Figure, by: float) -> Figure:
    se = None if figure.se is None else figure.se * by
    return replace(figure, value=figure.value * by, se=se, low=figure.low * by, high=figure.high * by)


def _key(name: str) -> str:
    return name.lower().translate({ord(char): None for char in " _-"})
