"""What verl logged of a run's rollouts (`trainer.rollout_data_dir`) → the reward's parts of every response.

verl 0.9.1 writes a response's `input`, `output`, `gts`, `score`, `step` and `uid`, nothing of what the reward function
returned besides. The row of the data is found by its question and truth, its parts by judging the text again; `check`
holds both against the means that the run logged while it trained.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import yaml
from tokenizers import Tokenizer

from reward_fns.score import compute_score

FIELDS = ("task", "score", "accuracy", "format", "structure", "response_tokens")
Reward = list[Any]
"""One value per name in FIELDS. `score` is the reward that trained, as verl logged it; the other parts are the same for
every arm."""


@dataclass(frozen=True)
class Run:
    """A run folder: `config.yaml`, `rollouts/<step>.jsonl`."""

    folder: Path

    @cached_property
    def config(self) -> dict[str, Any]:
        return yaml.safe_load((self.folder / "config.yaml").read_text())

    @cached_property
    def rows(self) -> dict[tuple[str, str], dict[str, Any]]:
        """A row of the training data by question and truth; rows that share both may differ in their image alone."""
        found: dict[tuple[str, str], dict[str, Any]] = {}
        columns = ["data_source", "prompt", "reward_model", "extra_info"]
        for row in pq.read_table(self.config["data"]["train_files"], columns=columns).to_pylist():
            key = (question(row), row["reward_model"]["ground_truth"])
            other = found.setdefault(key, row)
            if other["extra_info"]["task"] != row["extra_info"]["task"]:
                raise ValueError(
                    f"{key} is a question of {other['extra_info']['task']} and {row['extra_info']['task']}"
                )
        return found

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer.from_file(str(Path(self.config["actor_rollout_ref"]["model"]["path"]) / "tokenizer.json"))

    def rewards(self) -> dict[str, list[Reward]]:
        """Step -> rewards of its responses, those of a prompt side by side (verl sorts them)."""
        paths = sorted((self.folder / "rollouts").glob("*.jsonl"), key=lambda path: int(path.stem))
        return {path.stem: [self.reward(json.loads(line)) for line in path.read_text().splitlines()] for path in paths}

    def reward(self, logged: Mapping[str, Any]) -> Reward:
        text = logged["input"].removeprefix("user\n").removesuffix("\nassistant\n")
        if (text, logged["gts"]) not in self.rows:
            raise ValueError(f"step {logged['step']}: no row of the training data asks {text!r} with this truth")
        row = self.rows[text, logged["gts"]]
        judged = compute_score(row["data_source"], logged["output"], logged["gts"], row["extra_info"])
        # The token that ends the response is not in the text; a response that was cut off has none.
        tokens = min(len(self.tokenizer.encode(logged["output"]).ids) + 1, self.config["data"]["max_response_length"])
        values = judged | {"score": logged["score"], "response_tokens": tokens}
        return [round(v, 5) if isinstance(v := values[name], float) else v for name in FIELDS]


def question(row: Mapping[str, Any]) -> str:
    """The prompt's text as verl logs it: special tokens, such as the image's, are left out."""
    return "\n".join(message["content"].replace("<image>", "") for message in row["prompt"])


def check(rewards: Mapping[str, Sequence[Reward]], metrics: Sequence[Mapping[str, Any]]) -> dict[str, int]:
    """How many means per step and task were compared with the run's own metrics, and how many differ."""
    logged = {str(entry["step"]): entry for entry in metrics}
    counts = {"compared": 0, "accuracy_differs": 0, "length_differs": 0}
    for step, rows in rewards.items():
        by_task = defaultdict(list)
        for row in rows:
            by_task[row[FIELDS.index("task")]].append(row)
        for task, own in by_task.items():
            if (entry := logged.get(step)) is None or f"task/{task}/accuracy" not in entry:
                continue
            accuracy, tokens = (np.mean([row[FIELDS.index(name)] for row in own]) for name in ("accuracy", FIELDS[-1]))
            counts["compared"] += 1
            counts["accuracy_differs"] += bool(abs(accuracy - entry[f"task/{task}/accuracy"]) > 1e-3)
            counts["length_differs"] += bool(abs(tokens - entry[f"task/{task}/response_length/mean"]) > 1e-3)
    return counts
