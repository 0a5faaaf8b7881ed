"""Hostile answers against every task: `python tests/reward_fns/fuzz.py [CALLS [SECONDS]]`.

Every call must return numbers from 0 to 1, raise nothing, and end in time (1 s). The symbolic limit is 0.25 s, so
that a second is enough for the worker's replacement, too.
"""

from __future__ import annotations

import random
import resource
import sys
import time
from collections import Counter

from rows import ROWS, Row
from tqdm import tqdm

from reward_fns import symbolic
from reward_fns.score import compute_score
from reward_fns.settings import RewardSettings

NASTY = [
    "",
    " ",
    "\x00",
    "nan",
    "NaN",
    "inf",
    "-Infinity",
    "1e999",
    "9" * 5_000,
    "0." + "0" * 5_000 + "1",
    "1" * 400 + "/" + "3" * 400,
    "9**9**9**9",
    r"9^{9^{9^{9}}}",
    r"\frac{" * 400,
    r"\sqrt{" * 200 + "2" + "}" * 200,
    r"\sum_{n=1}^{10^{9}} \frac{1}{n!}",
    r"\int_0^{\infty} e^{-x^{x^x}} dx",
    r"(((((x+1)^{99})^{99})^{99})^{99})",
    r"x^{100000}+y^{100000}=0",
    r"\begin{pmatrix} 1 & 2 \\ 3 & 4 \end{pmatrix}",
    r"100000!!!",
    "$" * 5_000,
    "[" * 20_000,
    '{"a":' * 3_000,
    '{"boxes": [NaN, 1, 2, 3]}',
    '{"boxes": [1e999, 1, 2, 3]}',
    '{"boxes": [true, 1, 2, 3]}',
    '{"boxes": [' + "9" * 6_000 + ", 1, 2, 3]}",
    '{"boxes": {"1": [0, 0, 1, 1], "1.0": [0, 0, 1, 1]}}',
    '{"time": [5, 1], "boxes": {}}',
    '{"point_2d": [-0.0, 1000]}',
    "(" * 20_000,
    "(1," * 6_000,
    "((0.1, 0.1), " * 1_500,
    "(0.0, 0.0, 99999.0, 99999.0)",
    "answer is " * 1_900,
    "answer" + " " * 19_000,
    "A B C D E F " * 1_600,
    "\u202e B \u202c",
    "\u200b" * 20_000,
    "\ud800",
    "é" * 10_000,
    "a" * 30_000,
    "a" * 300_000,
    "<answer>" * 2_000,
    "</answer>",
    "<thinking>",
    "1,234,567" * 2_000,
    "1.1." * 5_000,
    "-" * 20_000,
    "\n" * 20_000,
    "__import__('os').system('true')",
]


def texts(generator: random.Random) -> str:
    """A nasty text, or a mix of nasty pieces and right answers."""
    if generator.random() < 0.5:
        return generator.choice(NASTY)
    pieces = [generator.choice(NASTY)[:200], generator.choice(ROWS).answer, generator.choice(" ,\n;=$")]
    return "".join(generator.choice(pieces) for _ in range(generator.randint(1, 6)))


def attack(
    pairs: list[tuple[Row, str]] | None,
    *,
    deadline: float,
    calls: int = 0,
    seen: Counter[str] | None = None,
    seed: int = 0,
    progress: bool = False,
) -> float:
    """Judge `pairs`, or `calls` made-up ones; AssertionError naming the first misbehaviour. Seconds of the slowest."""
    generator, slowest = random.Random(seed), 0.0
    settings = RewardSettings(verify_timeout=0.25)
    made_up = ((generator.choice(ROWS), texts(generator)) for _ in range(calls))
    for row, answer in tqdm(pairs or made_up, total=calls, unit="call", disable=not progress):
        response = answer if generator.random() < 0.1 else f"<thinking>t</thinking><answer>{answer}</answer>"
        start = time.perf_counter()
        found = compute_score(row.task, response, row.truth, {"info": row.info}, settings=settings)
        seconds = time.perf_counter() - start
        where = f"{row.task}: {answer[:80]!r}"
        for key in ("acc", "accuracy", "format", "structure", "length"):
            assert 0.0 <= found[key] <= 1.0, f"{where}: {key} is {found[key]}"
        assert 0.0 <= found["score"] <= 1.1, where
        assert seconds < deadline, f"{where}: took {seconds:.2f} s"
        slowest = max(slowest, seconds)
        if seen is not None:
            seen[row.task] += 1
    return slowest


def warm_up() -> None:
    """Starting workers and importing libraries is not part of a call."""
    for row in ROWS:
        compute_score(row.task, f"<answer>{row.answer}</answer>", row.truth, {"info": row.info})
    symbolic.equivalent(r"\log(2)", "x", {"verify_timeout": 60})


def main() -> None:
    warm_up()
    calls = int(sys.argv[1]) if len(sys.argv) > 1 else 100_000
    deadline = float(sys.argv[2]) if len(sys.argv) > 2 else 1.0
    seen: Counter[str] = Counter()
    start = time.perf_counter()
    slowest = attack(None, deadline=deadline, calls=calls, seen=seen, seed=int(start), progress=True)
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"{calls} calls over {len(seen)} tasks in {time.perf_counter() - start:.0f} s, slowest {slowest:.2f} s, ")
    print(f"memory {memory:.0f} MB, workers {dict(symbolic.pool().counters)}")


if __name__ == "__main__":
    main()
