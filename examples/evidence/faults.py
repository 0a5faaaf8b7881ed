"""Faults on purpose, on the real pipeline without a GPU: does the run go on, or stop in a minute and resume whole?

    python examples/evidence/faults.py --prepared runs/cache --out runs/faults [--only CASE…]

Trains once undisturbed, then every case of fault_cases.py by itself: the same short run with the fault, and, where it
stopped, mended and resumed. `--prepared` holds `data/` and `model/` (`examples/quickstart.sh` makes them). Cases that
are done are skipped. The table is `results/faults.md`, all that was seen `results/faults.json`. Exit code 1 if a case
does not hold.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
from collections.abc import Callable, Mapping
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from verl_ext.checkpoints import TRACKER
from verl_ext.run_log import read

sys.path.insert(0, str(Path(__file__).parents[2]))
sys.path.insert(0, str(Path(__file__).parent))
from fault_cases import CASES, Case, Rows, take_over
from fault_runs import STEPS, STOP_SECONDS, killing, steps_of, verdict, watch_run
from grid import git, versions
from small_disk import small_disk

from examples.kill_and_resume import difference, training_command

ROWS = 48
"""Of the training data; the steps take half of them, in their order."""
HERE = Path(__file__).parent
RESULTS = HERE / "results" / "faults.json"


def write_rows(prepared: Path, path: Path, spoil: Callable[[Rows], None] | None = None) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = next(pq.ParquetFile(prepared / "data" / "train.parquet").iter_batches(ROWS)).to_pylist()
    if spoil:
        spoil(rows)
    pq.write_table(pa.Table.from_pylist(rows), path)
    return path


def command_of(prepared: Path, run: Path, data: Path) -> list[str]:
    own = [f"data.train_files={data}", f"data.val_files={data}", "data.shuffle=false"]
    return training_command(prepared, run, STEPS, [*own, "trainer.max_actor_ckpt_to_keep=8"])


def try_case(name: str, case: Case, prepared: Path, out: Path) -> dict[str, Any]:
    """Run the case, resume it where it stopped, and describe what happened."""
    run, undisturbed, rows = out / name, out / "undisturbed", out / "rows" / name
    shutil.rmtree(run, ignore_errors=True)
    shutil.rmtree(rows, ignore_errors=True)
    # A verifier is mended in its module; its row stays.
    mended = write_rows(prepared, rows / "mended.parquet", case.rows if case.stuck else None)
    spoilt = write_rows(prepared, rows / "spoilt.parquet", case.rows) if case.rows and not case.stuck else mended
    if case.checkpoint:
        take_over(undisturbed, run, STEPS - 1)
        case.checkpoint(run / "checkpoints")
    mark = rows / "stuck"
    module = {"VERL_USE_EXTERNAL_MODULES": "stuck_verifier", "PYTHONPATH": str(HERE)} if case.stuck else {}
    hanging = {"STUCK": case.stuck, "STUCK_MARK": str(mark)} if case.stuck else {}
    begins = {
        "start": lambda: True,
        "first": lambda: len(steps_of(run)) >= 1,
        "second": lambda: len(steps_of(run)) >= 2,
        "stuck": mark.exists,
    }[case.when]
    strike = killing(case) if case.kills else lambda _mark: None
    size = int(1.6 * folder_size(undisturbed / "checkpoints" / "global_step_1"))
    with small_disk(run / "checkpoints", size) if case.full_disk else nullcontext() as disk:
        inside, root = (disk.inside, disk.outside_view) if disk else ([], run / "checkpoints")
        command = [*inside, *command_of(prepared, run, spoilt)]
        first = watch_run(command, run, module | hanging, begins=begins, strike=strike)
        saved = (root / TRACKER).read_text() if (root / TRACKER).exists() else ""
        again = None
        if first.code != 0 and read_if(run):
            if disk:
                disk.resize(64 * size)
            command = [*inside, *command_of(prepared, run, mended)]
            again = watch_run(command, run, module, begins=lambda: False)
    gap = largest(undisturbed, run) if case.same_data and read_if(run) else None
    holds, why = verdict(first, again, steps_of(run), gap, case.says)
    return {
        "what": case.what,
        "holds": holds,
        "why": why,
        "first": asdict(first),
        "saved_step": saved,
        "again": again and asdict(again),
        "steps": steps_of(run),
        "missing_responses": [entry.get("training/missing_responses") for entry in read_if(run)],
        "largest_difference": gap,
    }


def read_if(run: Path) -> list[dict[str, Any]]:
    return read(run / "metrics.jsonl") if (run / "metrics.jsonl").exists() else []


def folder_size(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def largest(one: Path, other: Path) -> float:
    """Largest difference of the steps that both have; which steps there are is judged apart."""
    theirs = {entry["step"]: entry for entry in read_if(other)}
    return max((difference(entry, theirs[entry["step"]])[0] for entry in read_if(one) if entry["step"] in theirs),
               default=0.0)  # fmt: skip


def table(found: Mapping[str, Any]) -> str:
    lines = [
        "# Faults on purpose",
        "",
        f"{STEPS} steps on the real pipeline without a GPU (`python examples/evidence/faults.py`), each with a "
        "checkpoint. *Seconds*: from the fault to the end of the run, or to its last step where it went on (where the "
        "fault is in a file: from the launch). "
        "*Resumed*: exit code of the start after the fault was mended. *Difference*: largest of any metric of any step "
        f"to the undisturbed run. What must hold: the run goes on, or stops with a message within {STOP_SECONDS} s; "
        "and in the end all steps are there, as in the undisturbed run.",
        "",
        "| fault | what happened | seconds | checkpoint | resumed | responses missing | difference | holds |",
        "| --- | --- | --- | --- | --- | --- | --- | --- |",
    ]
    for name, case in found["cases"].items():
        first, again = case["first"], case["again"]
        went = {0: "went on", None: "hung"}.get(first["code"], f"stopped (exit code {first['code']})")
        said = "<br>".join(line.replace("|", "\\|").replace("\n", " ")[:400] for line in first["said"])
        gap = case["largest_difference"]
        cells = [
            f"{case['what']} (`{name}`)",
            went + (f": {said}" if said else ""),
            str(first["seconds"]),
            case["saved_step"] or "–",
            "not needed" if first["code"] == 0 else str(again["code"]) if again else "nothing had started",
            str(int(sum(one or 0 for one in case["missing_responses"]))),
            "–" if gap is None else f"{gap:.1e}",
            "yes" if case["holds"] else f"**no**: {case['why']}".replace("|", "\\|"),
        ]
        lines.append("| " + " | ".join(cells) + " |")
    made = {case["commit"][:7] for case in found["cases"].values()}
    lines += ["", f"Commits: {', '.join(sorted(made))}. Versions: " + json.dumps(found["versions"]).replace('"', "")]
    return "\n".join(lines) + "\n"


def store(name: str, case: dict[str, Any]) -> None:
    found = load() | {"versions": versions()}
    found["cases"] = {one: found["cases"].get(one) for one in CASES} | {name: case}
    found["cases"] = {one: case for one, case in found["cases"].items() if case}
    part = RESULTS.with_suffix(".part")
    part.write_text(json.dumps(found, indent=1) + "\n")
    part.replace(RESULTS)
    RESULTS.with_suffix(".md").write_text(table(found))


def load() -> dict[str, Any]:
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {"cases": {}}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--prepared", type=Path, required=True)
    parser.add_argument("--out", type=Path, required=True, help="run folders (not committed)")
    parser.add_argument("--only", nargs="+", choices=CASES, default=list(CASES), metavar="CASE", help=", ".join(CASES))
    parser.add_argument("--again", action="store_true", help="also cases that are done")
    options = parser.parse_args()
    prepared, out = options.prepared.resolve(), options.out.resolve()
    if steps_of(out / "undisturbed") != list(range(1, STEPS + 1)):
        data = write_rows(prepared, out / "rows" / "undisturbed.parquet")
        seen = watch_run(command_of(prepared, out / "undisturbed", data), out / "undisturbed", {}, begins=lambda: False)
        if seen.code != 0:
            sys.exit(f"the undisturbed run failed: see {out}/undisturbed/train.log")
    for name in options.only:
        if name in load()["cases"] and not options.again:
            continue
        print(f"{name}: {CASES[name].what}", flush=True)
        commit = git("rev-parse", "HEAD")
        case = try_case(name, CASES[name], prepared, out) | {"commit": commit}
        store(name, json.loads(json.dumps(case).replace(str(out), "OUT")))
        print(json.dumps(load()["cases"][name], indent=1), flush=True)
    return 0 if all(case["holds"] for case in load()["cases"].values()) else 1


if __name__ == "__main__":
    sys.exit(main())
