"""Tables and figures from the stored runs: `python examples/evidence/tables.py` writes results/tables.md, training.png,
band.png, what stands between the marks in README.md and docs/evidence.md and, with results/gradients.json,
gradients.md. Any arms, any number of seeds.

Accuracy: greedy answers on the validation rows, before (step 0) and after the last step. ± is half a 95 % interval:
with three seeds and more that of the mean over seeds (t), else twice the paired standard error over rows, which says
nothing about another seed. Differences between arms pair runs of the same seed, starting weights and number of steps
("Runs" names them), row by row. Other figures: mean of the runs ± their standard deviation. Validation stands at the
ends alone, so "steps to GRPO's accuracy" reads the training rollouts: the first step at which their accuracy (mean of
the tasks over the last 20 steps, good to 2 or 3 points, so 20 at the least) is where GRPO of the same seed and weights
ended. Bands are those of the quickstart's recipe, for every arm.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

sys.path.insert(0, str(Path(__file__).parent))
import figures
import gradient_tables
from arms import ARMS, BASELINE, MAIN, STRESSED, TITLES
from cells import cell, fill, points, table
from records import (
    LAST,
    RESULTS,
    WINDOW,
    Record,
    Runs,
    accuracies,
    against,
    category_of,
    inside_bands,
    learning,
    load,
    mean_of,
    outside_bands,
    pairs_of,
    reached,
    series,
    start_of,
)
from short_table import footnote, short_table
from stress_reward import ENTROPY_TASK, TASK

ROOT = Path(__file__).parents[2]
# Page -> the arms that it shows, between its marks.
SHORT = {"README.md": MAIN, "docs/evidence.md": [arm for arm in ARMS if arm not in STRESSED]}
# Title of a table of categories -> metric, steps (None: all), decimals.
PER_CATEGORY: dict[str, tuple[str, int | None, int]] = {
    f"Composed reward in training, last {LAST} steps (arms with other rewards do not compare)": ("reward", LAST, 2),
    f"Response length, tokens, last {LAST} steps": ("response_length/mean", LAST, 1),
    f"Entropy, nats a token, last {LAST} steps": ("entropy", LAST, 2),
    "Share of groups without signal, all steps": ("zero_signal_groups", None, 2),
}

SILENT_WEIGHT = ("zero_signal_weight", "gradient_weight_share")
"""Metrics: share of a category's weight that groups without signal have in a step, and its share of the batch's."""


def tasks_of(runs: Runs) -> list[str]:
    return sorted(next(iter(runs.values()))[0]["summary"]["tasks"])


def by_category(runs: Runs) -> dict[str, list[str]]:
    """Tasks of every category."""
    tasks = tasks_of(runs)
    return {
        name: [task for task in tasks if category_of(task) == name] for name in sorted(set(map(category_of, tasks)))
    }


def gain(records: Sequence[Record], tasks: Sequence[str] | None = None) -> str:
    """before → after (difference ± half its interval), in percent and points."""
    pairs = [accuracies(record, tasks) for record in records]
    before, after = (100 * np.mean([list(pair[at].values()) for pair in pairs]) for at in (0, 1))
    return f"{before:.1f} → {after:.1f} ({points(pairs)})"


def accuracy_table(runs: Runs) -> list[str]:
    columns = {"overall": None, **by_category(runs)}
    rows = [
        [TITLES[arm], str(len(own)), *(gain(own, tasks) for tasks in columns.values())] for arm, own in runs.items()
    ]
    return table(["arm", "seeds", *columns], rows)


def against_baseline(runs: Runs) -> list[str]:
    columns = {"overall": None, **by_category(runs)}
    rows = [
        [TITLES[arm], *(points(against(runs, arm, BASELINE, tasks)) for tasks in columns.values())]
        for arm in runs
        if arm != BASELINE
    ]
    return [*table(["arm", *columns], rows), *footnote(runs)]


def category_table(runs: Runs, name: str, last: int | None, digits: int) -> list[str]:
    rows = []
    for arm, own in runs.items():
        means = [[mean_of(one, f"category/{category}/{name}", last) for one in own] for category in by_category(runs)]
        rows.append([TITLES[arm], *(cell(values, digits) for values in means)])
    return table(["arm", *by_category(runs)], rows)


def silent_weights(runs: Runs) -> list[str]:
    """Over all steps: a step in which a category has such groups alone counts by its weight in the batch."""
    rows = []
    for arm, own in runs.items():
        pooled = []
        for category in by_category(runs):
            steps = [
                [np.nan_to_num(series(one, f"category/{category}/{name}")) for name in SILENT_WEIGHT] for one in own
            ]
            pooled.append([100 * (share * weight).sum() / weight.sum() for share, weight in steps])
        rows.append([TITLES[arm], *(cell(values, 1) for values in pooled)])
    return table(["arm", *by_category(runs)], rows)


def band_table(runs: Runs, of: Callable[[Record, Sequence[str], int | None], float], last: int | None) -> list[str]:
    rows = []
    for arm, own in runs.items():
        shares = [[100 * of(one, tasks, last) for one in own] for tasks in by_category(runs).values()]
        rows.append([TITLES[arm], *(cell(values, 0) for values in shares)])
    return table(["arm", *by_category(runs)], rows)


def steps_to_baseline(runs: Runs, arm: str) -> str:
    """One figure per start that the baseline has too."""
    goals = {start_of(one): learning(one)[-1] for one in runs.get(BASELINE, [])}
    found = [reached(one, goals[start_of(one)]) for one in runs[arm] if start_of(one) in goals]
    return ", ".join("never" if step is None else str(step) for step in found) or "–"


def early_gain(runs: Runs, arm: str) -> str:
    """Of the rollouts' accuracy in the first WINDOW steps, over pairs of runs with GRPO."""
    pairs = [] if arm == BASELINE else pairs_of(runs, arm, BASELINE)
    return cell([100 * float(learning(own)[0] - learning(base)[0]) for base, own in pairs], 1)


def own_gradient(records: Sequence[Record], of: Callable[[gradient_tables.Figures], float], digits: int = 2) -> str:
    """Of the arm's own estimator and reward on its last policy, where it was measured."""
    measured = [one["gradients"] for one in records if one.get("gradients")]
    return cell(
        [float(np.nanmean(gradient_tables.over_draws([one], gradient_tables.OWN, of))) for one in measured], digits
    )


def summary_table(runs: Runs) -> list[str]:
    titles = ("arm", "seeds", "accuracy, %", "against GRPO, points", "steps to GRPO's accuracy", "tokens")
    titles += (
        f"accuracy of rollouts, first {WINDOW} steps, %",
        "the same against GRPO, points",
        f"entropy inside the tasks' bands, % of the last {LAST} steps",
        "gradient shares of the tasks: variation",
        "weight of groups without signal, %",
    )
    rows = []
    for arm, own in runs.items():
        rows.append(
            [
                *(TITLES[arm], str(len(own)), gain(own)),
                points(against(runs, arm, BASELINE)) if arm != BASELINE else "–",
                steps_to_baseline(runs, arm),
                cell([mean_of(one, "response_length/mean", LAST) for one in own], 1),
                cell([100 * learning(one)[0] for one in own], 1),
                early_gain(runs, arm),
                cell([100 * inside_bands(one, tasks_of(runs), LAST) for one in own], 0),
                own_gradient(own, gradient_tables.variation),
                own_gradient(own, lambda figures: 100 * figures["silent_weight"], 1),
            ]
        )
    return table(titles, rows)


def stress_table(runs: Runs) -> list[str]:
    """Each stressed arm against the same estimator without stress."""
    rows = []
    for arm, base in STRESSED.items():
        if arm not in runs:
            continue
        task = ENTROPY_TASK if "collapse" in arm or "explode" in arm else TASK
        others = [name for name in tasks_of(runs) if name != task]
        own = runs[arm]
        rows.append(
            [
                *(TITLES[arm], str(len(own)), TITLES[base]),
                points(against(runs, arm, base, others)),
                points(against(runs, arm, base, [task])),
                own_gradient(own, share_of(task), 1),
                own_gradient(runs.get(base, []), share_of(task), 1),
                cell([mean_of(one, f"task/{task}/entropy", LAST) for one in own]),
                cell([100 * inside_bands(one, [task]) for one in own], 0),
                cell([100 * inside_bands(one, [task], LAST) for one in own], 0),
            ]
        )
    titles = ("arm", "seeds", "against", "other tasks, points", "the task itself, points")
    titles += ("its share of the gradients at the end, %", "there, %")
    titles += ("its entropy at the end, nats", "steps inside its band, %", f"of the last {LAST} steps, %")
    return table(titles, rows) if rows else []


def share_of(task: str) -> Callable[[gradient_tables.Figures], float]:
    """Of the task's gradient in the sum of all, in percent."""
    return lambda figures: 100 * figures["norm"][task] / (sum(figures["norm"].values()) or np.nan)


def sources(runs: Runs) -> list[str]:
    rows = []
    for arm, records in runs.items():
        for one in records:
            commits = ", then ".join(map(commit, one.get("origin", [one]))) or "unknown"
            check = one["rewards_check"]
            differs = f"{check['accuracy_differs']}, {check['length_differs']} of {check['compared']}"
            name, minutes = f"{arm}-{one['seed']}", f"{one['seconds'] / 60:.0f}"
            model = (one.get("model") or "not stored")[:10]
            rows.append([name, commits, model, str(one["steps"]), minutes, differs])
    return table(
        ["run", "commit", "weights", "steps", "minutes of steps", "means of rewards, lengths unlike the run's metrics"],
        rows,
    )


def commit(origin: Mapping[str, Any]) -> str:
    dirty = f" + {len(origin['changed_files'])} changed files" if origin["changed_files"] else ""
    return origin["commit"][:10] + dirty


def page(runs: Runs) -> list[str]:
    parts = {
        "Summary": summary_table({arm: own for arm, own in runs.items() if arm not in STRESSED}),
        "Accuracy, before → after (difference), %": accuracy_table(runs),
        "Accuracy after training against GRPO, points": against_baseline(runs),
        **{title: category_table(runs, *what) for title, what in PER_CATEGORY.items()},
        "Share of the sum of abs(advantage) that these groups got, all steps, %": silent_weights(runs),
        "Share of steps in which a task is inside its band, mean of the tasks, %": band_table(runs, inside_bands, None),
        f"The same, last {LAST} steps": band_table(runs, inside_bands, LAST),
        f"Distance from the band, % of the edge, mean of the tasks, last {LAST} steps": band_table(
            runs, outside_bands, LAST
        ),
        "One task under stress": stress_table(runs),
        "Runs": sources(runs),
    }
    text = ["# Results", "", __doc__.split("\n\n", 1)[1].replace("\n", " ").strip(), ""]
    for title, body in parts.items():
        if body:
            text += [f"## {title}", "", *body]
    return text


def main(results: Path = RESULTS) -> None:
    runs = load(results)
    if not runs:
        sys.exit(f"no stored runs in {results}; make some: python examples/evidence/grid.py")
    text = page(runs)
    figures.training(runs, results / "training.png")
    text += ["![Training accuracy, entropy and length of the main arms](training.png)", ""]
    if figures.band(runs, results / "band.png"):
        text += ["![Entropy of the task whose entropy is driven out of its band](band.png)", ""]
    (results / "tables.md").write_text("\n".join(text))
    if results == RESULTS:
        for name, arms in SHORT.items():
            page_file = ROOT / name
            page_file.write_text(fill(page_file.read_text(), short_table(runs, arms)))
    if (results / "gradients.json").exists():
        gradient_tables.write(results)
    print("\n".join(text))


if __name__ == "__main__":
    main()
