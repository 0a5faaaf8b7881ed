"""The faults that faults.py makes: what is broken, when, and how it is mended before the run is resumed."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from verl_ext.checkpoints import TRACKER
from verl_ext.run_log import read

Rows = list[dict[str, Any]]
SPOILT_ROW = 8
"""In the second step: rows are taken in the order of the file, six a step."""


@dataclass(frozen=True)
class Case:
    """One fault. Everything that is not named here is as in the undisturbed run."""

    what: str
    """For the table."""
    kills: str = ""
    """Part of the command line of the processes that get SIGKILL; `all`: of every process of the run."""
    delay: float = 0.0
    """Seconds from `when` to the kill."""
    when: str = "first"
    """When the fault is there: at the `start`, when the checkpoint of the `first` or the `second` step is begun, or
    when the verifier is `stuck`. Seconds are counted from then."""
    rows: Callable[[Rows], None] | None = None
    """Spoils the data; the mended file has the rows as they were."""
    checkpoint: Callable[[Path], Path] | None = None
    """Damages the newest of three checkpoints, under the folder that holds them; returns the file."""
    full_disk: bool = False
    """Checkpoints go to a disk that the second does not fit on; it is enlarged to mend it."""
    stuck: str = ""
    """How the verifier of the spoilt row hangs: see stuck_verifier.py."""
    says: str = ""
    """Regular expression of what the run must say of this fault; empty where the one that would say it is killed."""

    @property
    def same_data(self) -> bool:
        """Mended, the run has to give the metrics of the undisturbed one."""
        return not self.stuck


def broken_image(rows: Rows) -> None:
    image = rows[SPOILT_ROW]["images"][0]
    image["bytes"] = image["bytes"][: len(image["bytes"]) // 2]


def no_truth(rows: Rows) -> None:
    rows[SPOILT_ROW]["reward_model"] = None


def unknown_task(rows: Rows) -> None:
    rows[SPOILT_ROW]["extra_info"]["task"] = "digit_chioce"


def stuck_task(rows: Rows) -> None:
    rows[SPOILT_ROW]["extra_info"].update(task="stuck", category="math_vqa")


def cut(*parts: str) -> Callable[[Path], Path]:
    """Half of a file of the newest checkpoint."""

    def damage(root: Path) -> Path:
        path = root.joinpath(f"global_step_{(root / TRACKER).read_text()}", *parts)
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
        return path

    return damage


def empty_tracker(root: Path) -> Path:
    (root / TRACKER).write_text("")
    return root / TRACKER


def take_over(undisturbed: Path, run: Path, steps: int) -> None:
    """A copy of a run as it stood after `steps`."""
    shutil.copytree(undisturbed, run, ignore=shutil.ignore_patterns("train.log"))
    for folder in (run / "checkpoints").glob("global_step_*"):
        if int(folder.name.removeprefix("global_step_")) > steps:
            shutil.rmtree(folder)
    (run / "checkpoints" / TRACKER).write_text(str(steps))
    kept = [line for line, entry in zip((run / "metrics.jsonl").read_text().splitlines(), read(run / "metrics.jsonl"),
                                        strict=True) if entry["step"] <= steps]  # fmt: skip
    (run / "metrics.jsonl").write_text("".join(line + "\n" for line in kept))


CASES = {
    "reward_worker": Case("reward worker killed", kills="RewardLoopWorker", delay=1.5,
                          says="every response of the step failed|is dead.* reward worker"),
    "vllm_server": Case("vLLM server killed", kills="vLLMHttpServer", delay=1.5, says="is dead.* rollout server"),
    "vllm_engine": Case("vLLM engine core killed while it generates", kills="VLLM::EngineCore", delay=1.5,
                        says="engine core has died"),
    "vllm_engine_idle": Case("vLLM engine core killed before it fetches weights", kills="VLLM::EngineCore",
                             says="engine core has died"),
    "agent_loop": Case("agent-loop worker killed", kills="_CachedWorker", delay=1.5,
                       says="is dead.* agent-loop worker"),
    "trainer_worker": Case("FSDP worker killed while it saves", kills="WorkerDict",
                           says="checkpoint .* could not be written"),
    "driver": Case("verl_ext.main_ppo killed", kills="verl_ext.main_ppo", delay=1.5),
    "machine": Case("everything killed at once", kills="all", delay=0.5),
    "disk_full": Case("disk full while a checkpoint is written", full_disk=True, when="second",
                      says="could not be written|No space|enforce fail at inline_container"),
    "model_shard": Case("model shard of the newest checkpoint cut off",
                        checkpoint=cut("actor", "model_world_size_1_rank_0.pt"), when="start",
                        says="model_world_size_1_rank_0.pt is cut off"),
    "state_file": Case("state file of the newest checkpoint cut off", checkpoint=cut("verl_ext.json"),
                       when="start", says="verl_ext.json is damaged"),
    "tracker": Case("tracker file empty, as after a crash while it is written", checkpoint=empty_tracker,
                    when="start", says="not a step: it was not written to the end"),
    "verifier_sleeps": Case("verifier sleeps for ever on a row", rows=stuck_task, stuck="sleeps",
                            when="stuck", says="the reward of row offline/.*/8 took over"),
    "verifier_loops": Case("verifier loops in C on a row (backtracking regular expression)", rows=stuck_task,
                           stuck="loops", when="stuck", says="is dead.* reward worker"),
    "row_image": Case("image bytes of a row cut off", rows=broken_image, says="row 8 of .* cannot be made a prompt"),
    "row_truth": Case("a row without a ground truth", rows=no_truth, when="start",
                      says="row 8: reward_model.ground_truth is missing"),
    "row_task": Case("a row of an unknown task", rows=unknown_task, when="start",
                     says="row 8: unknown task 'digit_chioce'"),
}  # fmt: skip
