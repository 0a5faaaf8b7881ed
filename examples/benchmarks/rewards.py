"""Speed of the verifiers: responses per second, median and 99.9th percentile per task, in one process and in two,
and beside verl's own reward functions in the same run. Responses of 50 to 4,000 tokens (about 4 characters each),
half of them right.

    python examples/benchmarks/rewards.py [--calls 1000] [--formulas 1000] [--repeats 5] [--seed 0]

Times of answers that no worker judges are CPU times, so that other work on the machine does not count. Those of
symbolic maths (four threads, as a reward loop calls it) are wall-clock times; its rate on two free cores comes from the
CPU time of this process and its workers.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import re
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
from measure import ratios, save, spread
from tqdm import tqdm

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests" / "reward_fns"))
from rows import ROWS  # one row of every task and variant, in its own format

from reward_fns import symbolic
from reward_fns.registry import TASKS
from reward_fns.score import compute_score

DEADLINE = 1.0
TARGETS = {"everything but formulas": 5_000, "formulas, two free cores": 300}
GROUP = 8
"""Responses to one prompt."""
WORDS = ("so", "the", "box", "<b>", "at (3, 4)", "has 12", "red parts", "x = 3.5", "not 7 %", "[1, 2]", r"\frac{1}{2}")
Call = tuple[str, str, Any, dict[str, Any]]


def response(answer: str, generator: random.Random) -> str:
    tokens = int(50 * 80 ** generator.random())
    thinking = " ".join(generator.choices(WORDS, k=tokens))
    return f"<thinking>{thinking}</thinking>\n<answer>{answer}</answer>"


def slip(answer: str, generator: random.Random) -> str:
    """The answer with its digits changed, or (without any) a letter."""
    if re.search(r"\d", answer):
        return re.sub(r"\d", lambda digit: generator.choice(["1", "7", digit.group()]), answer)
    return answer[:-1] + generator.choice("ABCDxyz")


def plain_calls(count: int, generator: random.Random) -> list[Call]:
    """`count` calls of every row but those of mathematical texts, shuffled."""
    calls = []
    for row in ROWS:
        truth = row.truth if isinstance(row.truth, str) else json.dumps(row.truth)
        extra = {"task": row.task, "info": json.dumps(row.info), "response_tokens": 400}
        for _ in range(count):
            answer = row.answer if generator.random() < 0.5 else slip(row.answer, generator)
            if row.task != "math":
                calls.append((row.task, response(answer, generator), truth, extra))
    generator.shuffle(calls)
    return calls


def formula_calls(count: int, generator: random.Random) -> list[Call]:
    """Free answers of math, MathVerse and MathVision, eight to each truth: 50 % plain numbers (MathVision: 94 %), 20 %
    constants, 20 % polynomials and equations, 10 % intervals and logarithms, which no quick rule decides."""
    calls, infos = [], {"math": {}, "mathverse": {"question_type": "free-form"}, "mathvision": {"choices": []}}
    for at in range(0, count, GROUP):
        a, b, c = generator.randint(2, 99), generator.choice([2, 3, 5, 7, 11, 13]), at + 3
        truth, same = generator.choices(
            [
                (str(c), f"{c}.0"),
                (rf"\frac{{{a}\sqrt{{{b}}}}}{{{c}}}", rf"\frac{{{a}}}{{{c}}}\sqrt{{{b}}}"),
                (rf"{a}x^2+{c}x", rf"x({a}x+{c})"),
                (rf"{a}x+{b}y={c}", rf"{c}={b}y+{a}x"),
                (rf"[{b},{b + c})", rf"[{b}, {b + c})"),
                (rf"\log({a})+{c}", rf"{c}+\log({a})"),
            ],
            [50, 20, 10, 10, 5, 5],
        )[0]
        task = generator.choice(list(infos))
        extra = {"task": task, "info": json.dumps(infos[task]), "response_tokens": 400}
        for _ in range(GROUP):
            answer = same if generator.random() < 0.5 else slip(same, generator)
            calls.append((task, response(answer, generator), truth, extra))
    return calls


def run(calls: list[Call], clock: Callable[[], float], bar: Any = None) -> dict[str, list[float]]:
    """Seconds of each call, by task."""
    seconds: dict[str, list[float]] = {}
    for task, text, truth, extra in calls:
        start = clock()
        compute_score(task, text, truth, extra)
        seconds.setdefault(task, []).append(clock() - start)
        if bar is not None:
            bar.update()
    return seconds


def in_process(arguments: tuple[int, int]) -> tuple[int, float]:
    """(calls, CPU seconds) of one process of several."""
    calls = plain_calls(arguments[0], random.Random(arguments[1]))
    run(plain_calls(100, random.Random(0)), time.thread_time)
    return len(calls), sum(map(sum, run(calls, time.thread_time).values()))


def threaded(calls: list[Call], bar: Any = None) -> tuple[float, float, dict[str, list[float]]]:
    """All calls in four threads: wall seconds, CPU seconds with those of the workers, wall seconds of each call."""
    start, spent, seconds = time.perf_counter(), cpu_seconds(), {}
    with ThreadPoolExecutor(4) as threads:
        parts = list(threads.map(lambda call: run([call], time.perf_counter, bar), calls))
    for part in parts:
        for task, values in part.items():
            seconds.setdefault(task, []).extend(values)
    return time.perf_counter() - start, cpu_seconds() - spent, seconds


def cpu_seconds() -> float:
    """Of this process, its workers, and their children, ended or not."""
    processes = [process for worker in psutil.Process().children() for process in (worker, *worker.children())]
    ours = ("pool_worker" in " ".join(process.cmdline()) for process in processes)
    times = [process.cpu_times() for process, mine in zip(processes, ours, strict=True) if mine]
    of_workers = sum(t.user + t.system + t.children_user + t.children_system for t in times)
    return time.process_time() + of_workers


def show(seconds: dict[str, list[float]]) -> None:
    print(f"{'task':<28}{'calls':>8}{'per second':>12}{'median µs':>11}{'99.9 % µs':>11}{'slowest µs':>12}")
    for task in (name for name in TASKS if name in seconds):
        values = 1e6 * np.array(seconds[task])
        rate, (median, high) = 1e6 / values.mean(), np.percentile(values, [50, 99.9])
        print(f"{task:<28}{len(values):>8}{rate:>12,.0f}{median:>11.0f}{high:>11.0f}{values.max():>12.0f}")


def against_verl(calls: int, repeats: int, generator: random.Random) -> dict[str, list[float]]:
    """Ratios of responses per second, both sides in turns on the same reasoning and answers."""
    from verl.utils.reward_score import gsm8k, math_reward, math_verify

    numbers = [(response(str(at), generator), str(at + at % 2)) for at in range(calls)]
    formulas = formula_calls(max(20, calls // 10), generator)
    boxed = [(text.replace("<answer>", r"\boxed{").replace("</answer>", "}"), truth) for _, text, truth, _ in formulas]
    pairs: list[tuple[str, Callable[[], Any], Callable[[], Any], int]] = [
        (
            "arithmetic / gsm8k",
            lambda: [compute_score("arithmetic", text, truth) for text, truth in numbers],
            lambda: [gsm8k.compute_score(text.replace("<answer>", "#### "), truth) for text, truth in numbers],
            calls,
        ),
        (
            "formulas / math_reward",
            lambda: threaded(formulas),
            lambda: [math_reward.compute_score(text, truth) for text, truth in boxed],
            len(boxed),
        ),
        (
            "formulas / math_verify",
            lambda: threaded(formulas),
            lambda: list(ThreadPoolExecutor(4).map(lambda pair: math_verify.compute_score(*pair), boxed)),
            len(boxed),
        ),
    ]
    print(f"\n{'ours / verl, wall clock':<28}{'ours per s':>12}{'verl per s':>12}   ratio")
    math_verify.compute_score(r"\boxed{1}", "1")  # starts its processes
    found = {}
    for name, ours, theirs, count in pairs:
        rates: tuple[list[float], list[float]] = ([], [])
        for _ in range(repeats):
            symbolic._asked.cache_clear()
            for own, function in zip(rates, (ours, theirs), strict=True):
                start = time.perf_counter()
                function()
                own.append(count / (time.perf_counter() - start))
        found[name] = ratios(*rates)
        print(f"{name:<28}{median(rates[0]):>12,.0f}{median(rates[1]):>12,.0f}   {spread(found[name], 3)}")
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--calls", type=int, default=1_000, help="calls of every row (default %(default)s)")
    parser.add_argument("--formulas", type=int, default=1_000, help="calls of symbolic maths (default %(default)s)")
    parser.add_argument("--repeats", type=int, default=5, help="of the comparison with verl (default %(default)s)")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path, help="write the ratios there too")
    options = parser.parse_args()
    generator = random.Random(options.seed)
    plain, formulas = plain_calls(options.calls, generator), formula_calls(options.formulas, generator)
    run(plain_calls(100, generator), time.thread_time)  # imports, caches
    with ThreadPoolExecutor(symbolic.POOL_SIZE) as threads:  # a worker starts when it is first needed
        list(threads.map(lambda at: symbolic.equivalent(rf"\log({at})", "x", {"verify_timeout": 60}), range(2, 12)))
    rates: dict[str, float] = {}
    with tqdm(total=len(plain) + len(formulas), unit="call") as bar:
        seconds = run(plain, time.thread_time, bar)
        rates["everything but formulas"] = len(plain) / sum(map(sum, seconds.values()))
        asked = symbolic.pool().counters["calls"]
        wall, spent, of_formulas = threaded(formulas, bar)
        rates["formulas, two free cores"] = 2 * len(formulas) / spent
        rates["formulas, wall clock"] = len(formulas) / wall
        asked = symbolic.pool().counters["calls"] - asked
    with multiprocessing.get_context("spawn").Pool(2) as processes:
        halves = processes.map(in_process, [(options.calls, 1), (options.calls, 2)])
    rates["everything but formulas, two processes"] = sum(count / spent for count, spent in halves)
    print("CPU time of a call:")
    show(seconds)
    print("\nWall-clock time of a call that may ask a worker:")
    show(of_formulas)
    counters = dict(symbolic.pool().counters)
    print(f"{asked} of {len(formulas)} formulas went to a worker; {counters}")
    print(f"\n{'responses per second':<42}{'':>12}{'target':>10}")
    for name, rate in rates.items():
        print(f"{name:<42}{rate:>12,.0f}{TARGETS.get(name, '-'):>10}")
    slowest = max(max(values) for part in (seconds, of_formulas) for values in part.values())
    print(f"{'slowest answer, seconds':<42}{slowest:>12.3f}{DEADLINE:>10}")
    save(options.json, ratios=against_verl(options.formulas, options.repeats, generator))


if __name__ == "__main__":
    main()
