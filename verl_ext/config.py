"""The `verl_ext:` block and `algorithm.g2rpo` of the run's configuration, checked and resolved per task.

    verl_ext:
      defaults: {entropy_coeff: 0.02}
      categories: {grounding: {envelope: [0, 20, 80, 250]}}
      tasks: {digit_box: {length_weight: 0.05}}

The more specific layer wins, key by key: task over category over defaults over the values in this module.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from reward_fns.settings import CATEGORIES, RewardSettings
from verl_ext.auto_envelope import AutoEnvelopeSettings
from verl_ext.config_fields import (
    BLOCKS,
    EMA_KEYS,
    FILTER_KEYS,
    G2RPO_KEYS,
    LAYER_KEYS,
    SAMPLING_KEYS,
    TOP_KEYS,
    read,
    read_block,
    refuse,
    unknown,
    unknown_task,
)
from verl_ext.ema_grpo import EmaSettings
from verl_ext.entropy_control import DualSettings
from verl_ext.g2rpo import G2RPOSettings
from verl_ext.group_filter import FilterSettings
from verl_ext.run_check import check_run
from verl_ext.sampler import SamplingSettings

_REWARD = RewardSettings()

Layer = Mapping[str, Any]


@dataclass(frozen=True)
class TaskSettings:
    """What holds for one task after the layers are merged."""

    reward: RewardSettings = field(default_factory=RewardSettings)
    """Weights of the reward's parts and the length envelope."""
    envelope_mode: str = "static"
    """static, or auto: the envelope follows the lengths of the task's correct responses inside the static one. Without
    a static envelope there is none either way."""
    entropy_band: tuple[float, float] | None = (0.2, 0.6)
    """Lowest and highest mean token entropy in nats that cost nothing; None switches the term off."""
    entropy_coeff: float = 0.02
    """Lambda: loss per nat outside the band; where a dual variable controls it, its start. 0 switches the term off."""
    entropy_warmup_steps: int = 0
    """Steps over which the coefficient rises linearly from 0: with 10, a tenth of it acts in the first step."""
    entropy_control: str = "fixed"
    """fixed, or dual: the coefficient rises while the task is outside its band and falls inside, see `entropy_dual`."""
    entropy_spare_solved: bool = False
    """Whether a prompt too easy for `filter.accuracy` counts for the upper edge of the band alone: to be sure is no
    fault there, and no reward opposes a push away from it. The group filter leaves no such prompt in a batch."""


_TASK_KEYS = (
    *("envelope_mode", "entropy_band", "entropy_coeff", "entropy_warmup_steps"),
    *("entropy_control", "entropy_spare_solved"),
)


@dataclass(frozen=True)
class Settings:
    """The `verl_ext:` block."""

    task_label: str = "task"
    """What the estimator calls a task: the row's `task`, its `category`, or its `problem_type` (problem_type.py)."""
    thinking_tag: str = "thinking"
    """Tag of the reasoning block in responses: thinking or think."""
    verify_timeout: float = 1.0
    """Seconds that one symbolic verification may take."""
    reward_timeout: float = 40.0
    """Seconds that the reward of one response may take, in any verifier; a reward that asks a model may need more."""
    run_dir: str | None = None
    """Folder of metrics.jsonl, config.yaml and the report; None: `trainer.default_local_dir`."""
    poll_interval: float = 0.2
    """Seconds between two looks of the trainer into verl's replay buffer (verl: 2.0, which a short step would wait)."""
    seeded_rollouts: bool = True
    """A seed per request of single-turn loops in sync mode, so that a resumed run draws what the other would have
    drawn. vLLM then draws row by row, which slows generation on GPUs; false leaves it to vLLM."""
    filter: FilterSettings = field(default_factory=FilterSettings)
    """Groups that a batch takes."""
    sampling: SamplingSettings = field(default_factory=SamplingSettings)
    """Tasks that a batch holds."""
    auto_envelope: AutoEnvelopeSettings = field(default_factory=AutoEnvelopeSettings)
    """Of tasks whose `envelope_mode` is auto."""
    entropy_dual: DualSettings = field(default_factory=DualSettings)
    """Of tasks whose `entropy_control` is dual."""
    defaults: Layer = field(default_factory=dict)
    """Layer for all tasks: the keys of LAYER_KEYS."""
    categories: Mapping[str, Layer] = field(default_factory=dict)
    """Layer per category."""
    tasks: Mapping[str, Layer] = field(default_factory=dict)
    """Layer per task."""

    def for_task(self, task: str, category: str) -> TaskSettings:
        """Merged settings of a task; ValueError for a category that is none of the six."""
        if category not in CATEGORIES:
            raise ValueError(f"task {task!r}: " + unknown("category", category, CATEGORIES))
        merged = self._merge(category, task)
        own = {name: merged.pop(name) for name in _TASK_KEYS if name in merged}
        reward = RewardSettings(thinking_tag=self.thinking_tag, verify_timeout=self.verify_timeout, **merged)
        return TaskSettings(reward=reward, **own)

    @property
    def shapes_entropy(self) -> bool:
        """Whether any task can get an entropy term."""
        merged = (self._merge(category, task) for category in CATEGORIES for task in ("", *self.tasks))
        return any(
            layer.get("entropy_band", TaskSettings.entropy_band) is not None
            and layer.get("entropy_coeff", TaskSettings.entropy_coeff) > 0
            for layer in merged
        )

    @property
    def moves_envelopes(self) -> bool:
        """Whether any task's envelope can follow its lengths."""
        merged = (self._merge(category, task) for category in CATEGORIES for task in ("", *self.tasks))
        return any(layer.get("envelope_mode") == "auto" and layer.get("envelope") is not None for layer in merged)

    def _merge(self, category: str, task: str) -> dict[str, Any]:
        return {**self.defaults, **self.categories.get(category, {}), **self.tasks.get(task, {})}


def load(block: Mapping[str, Any] | None, *, known_tasks: Collection[str] | None = None) -> Settings:
    """Settings from the `verl_ext:` block; one ValueError lists every problem with its path and remedy.

    `known_tasks` holds the task names that may be used (None: any); values with a `category`, as in
    `reward_fns.registry.TASKS`, let the merged weights be checked with the task's own category.
    """
    problems: list[str] = []
    settings = _load(block, known_tasks, problems)
    refuse(problems)
    return settings


def g2rpo_settings(block: Mapping[str, Any] | None) -> G2RPOSettings:
    """Settings from `algorithm.g2rpo` (None: the defaults); ValueError lists every problem."""
    problems: list[str] = []
    values = read(block, "algorithm.g2rpo", G2RPO_KEYS, problems)
    refuse(problems)
    return G2RPOSettings(**values)


def ema_settings(block: Mapping[str, Any] | None) -> EmaSettings:
    """Settings from `algorithm.ema_grpo` (None: the defaults); ValueError lists every problem."""
    problems: list[str] = []
    values = read(block, "algorithm.ema_grpo", EMA_KEYS, problems)
    refuse(problems)
    return EmaSettings(**values)


def check(
    config: Mapping[str, Any],
    *,
    known_tasks: Collection[str] | None = None,
    known_estimators: Collection[str] | None = None,
    further: Sequence[str] = (),
) -> Settings:
    """Check a whole resolved run configuration before anything starts; one ValueError lists every problem.

    `known_estimators`: as `known_tasks`, of `algorithm.adv_estimator`; `further`: problems that are known already.
    """
    problems = list(further)
    settings = _load(config.get("verl_ext"), known_tasks, problems)
    refuse(problems + check_run(config, settings, known_tasks=known_tasks, known_estimators=known_estimators))
    return settings


def _load(block: Any, known_tasks: Collection[str] | None, problems: list[str]) -> Settings:
    layers: dict[str, Any] = dict.fromkeys(("defaults", "categories", "tasks", "filter", "sampling"))
    blocks: dict[str, Any] = dict.fromkeys(BLOCKS)
    if isinstance(block, Mapping):
        layers, blocks = {name: block.get(name) for name in layers}, {name: block.get(name) for name in BLOCKS}
        block = {name: value for name, value in block.items() if name not in (*layers, *BLOCKS)}
    top = read(block, "verl_ext", TOP_KEYS, problems, also=(*layers, *BLOCKS))
    top |= {name: read_block(values, name, problems) for name, values in blocks.items()}
    top["filter"] = FilterSettings(**read(layers["filter"], "verl_ext.filter", FILTER_KEYS, problems))
    top["sampling"] = SamplingSettings(**read(layers["sampling"], "verl_ext.sampling", SAMPLING_KEYS, problems))
    defaults = read(layers["defaults"], "verl_ext.defaults", LAYER_KEYS, problems)
    categories = _read_layers(layers["categories"], "categories", CATEGORIES, problems)
    tasks = _read_layers(layers["tasks"], "tasks", known_tasks, problems)

    _check_weights("verl_ext.defaults", defaults, problems)
    for name, layer in categories.items():
        _check_weights(f"verl_ext.categories.{name}", {**defaults, **layer}, problems)
    for name, layer in tasks.items():
        known = known_tasks.get(name) if isinstance(known_tasks, Mapping) else None
        category = categories.get(getattr(known, "category", ""), {})
        _check_weights(f"verl_ext.tasks.{name}", {**defaults, **category, **layer}, problems)
    return Settings(**top, defaults=defaults, categories=categories, tasks=tasks)


def _read_layers(block: Any, part: str, known: Collection[str] | None, problems: list[str]) -> dict[str, Layer]:
    if block is None:
        return {}
    if not isinstance(block, Mapping):
        problems.append(f"verl_ext.{part} must map names to settings, got {block!r}")
        return {}
    layers: dict[str, Layer] = {}
    for name, layer in block.items():
        if not isinstance(name, str) or not name:
            problems.append(f"verl_ext.{part}: the name {name!r} must be a non-empty string")
        elif known is not None and name not in known:
            said = (unknown_task if part == "tasks" else unknown)("name", name, known)
            problems.append(f"verl_ext.{part}.{said}")
        else:
            layers[name] = read(layer, f"verl_ext.{part}.{name}", LAYER_KEYS, problems)
    return layers


def _check_weights(path: str, merged: Layer, problems: list[str]) -> None:
    total = merged.get("format_weight", _REWARD.format_weight) + merged.get("length_weight", _REWARD.length_weight)
    if total >= 1:
        problems.append(
            f"{path}: format_weight + length_weight is {total:g} and leaves nothing for accuracy; lower them"
        )
