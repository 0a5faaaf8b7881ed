"""The keys that the configuration knows, what each may hold, and the reading of a block against them."""

from __future__ import annotations

import difflib
import math
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from reward_fns.settings import LENGTH_GATES, LENGTH_SCOPES, THINKING_TAGS, Envelope
from verl_ext.auto_envelope import AutoEnvelopeSettings
from verl_ext.entropy_control import CONTROLS, DualSettings
from verl_ext.sampler import BASES
from verl_ext.stages import GROUP_MAPS, PLOTTING_POSITIONS, TASK_MAPS

Check = Callable[[Any], Any]


def _number(value: Any, low: float = 0.0, high: float = math.inf) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value):
        raise ValueError("must be a finite number")
    if not low <= value <= high:
        raise ValueError(f"must lie in [{low:g}, {high:g}]" if high < math.inf else f"must be {low:g} or more")
    return float(value)


def _positive(value: Any) -> float:
    if _number(value) == 0:
        raise ValueError("must be greater than 0")
    return float(value)


def _weight(value: Any) -> float:
    return _number(value, 0.0, 1.0)


def _one_of(known: Collection[str]) -> Check:
    def check(value: Any) -> str:
        if value not in known:
            raise ValueError(f"must be one of {', '.join(known)}")
        return str(value)

    return check


def _folder(value: Any) -> str | None:
    if value is not None and (not isinstance(value, str) or not value):
        raise ValueError("must be a path or null")
    return value


def _is_list(value: Any) -> bool:
    return isinstance(value, Sequence) and not isinstance(value, str)


def _envelope(value: Any) -> Envelope | None:
    if value is None or isinstance(value, Envelope):
        return value
    if not _is_list(value) or len(value) != 4:
        raise ValueError("must be null or [min_start, peak_start, peak_end, max_end] in tokens")
    return Envelope(*value)


def _band(value: Any) -> tuple[float, float] | None:
    if value is None:
        return None
    if not _is_list(value) or len(value) != 2:
        raise ValueError("must be null or [low, high] in nats")
    low, high = _number(value[0]), _number(value[1])
    if low >= high:
        raise ValueError("must have low < high")
    return low, high


def _share_range(value: Any) -> tuple[float, float]:
    if not _is_list(value) or len(value) != 2:
        raise ValueError("must be [low, high], shares of right answers")
    low, high = _weight(value[0]), _weight(value[1])
    if low >= high:
        raise ValueError("must have low < high")
    return low, high


def _factor(value: Any) -> float:
    return _number(value, 1.0)


def _flag(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("must be true or false")
    return value


def _count(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ValueError("must be an integer of 1 or more")
    return value


def _steps(value: Any) -> int:
    if isinstance(value, bool) or not isinstance(value, int) or value < 0:
        raise ValueError("must be an integer of 0 or more")
    return value


def _quantiles(value: Any) -> tuple[float, ...]:
    if not _is_list(value) or len(value) != 4:
        raise ValueError("must be four ascending numbers in [0, 1]")
    return tuple(_weight(item) for item in value)


def _decay(value: Any) -> float:
    if _number(value) >= 1:
        raise ValueError("must lie in [0, 1)")
    return float(value)


def _or_null(check: Check) -> Check:
    return lambda value: None if value is None else check(value)


def _mapping_of(check: Check) -> Check:
    def check_all(value: Any) -> dict[str, Any]:
        if not isinstance(value, Mapping) or not all(isinstance(name, str) and name for name in value):
            raise ValueError("must map names to numbers")
        return {name: check(item) for name, item in value.items()}

    return check_all


LAYER_KEYS: dict[str, Check] = {
    "format_weight": _weight,
    "length_weight": _weight,
    "structure_weight": _weight,
    "length_gate": _one_of(LENGTH_GATES),
    "length_scope": _one_of(LENGTH_SCOPES),
    "length_of_truncated": _flag,
    "envelope": _envelope,
    "envelope_mode": _one_of(("static", "auto")),
    "entropy_band": _band,
    "entropy_coeff": _number,
    "entropy_warmup_steps": _steps,
    "entropy_control": _one_of(CONTROLS),
    "entropy_spare_solved": _flag,
}
AUTO_ENVELOPE_KEYS: dict[str, Check] = {
    "quantiles": _quantiles,
    "margin": _number,
    "window": _count,
    "warmup": _count,
    "rate": _number,
}
DUAL_KEYS: dict[str, Check] = {"step": _number, "decay": _number, "ceiling": _number}
# Blocks of `verl_ext` that hold the settings of one mechanism; they check what their fields are to each other.
BLOCKS: dict[str, tuple[dict[str, Check], Callable[..., Any]]] = {
    "auto_envelope": (AUTO_ENVELOPE_KEYS, AutoEnvelopeSettings),
    "entropy_dual": (DUAL_KEYS, DualSettings),
}
TOP_KEYS: dict[str, Check] = {
    "task_label": _one_of(("task", "category", "problem_type")),
    "thinking_tag": _one_of(THINKING_TAGS),
    "verify_timeout": _positive,
    "reward_timeout": _positive,
    "run_dir": _folder,
    "poll_interval": _positive,
    "seeded_rollouts": _flag,
}
FILTER_KEYS: dict[str, Check] = {
    "accuracy": _share_range,
    "max_rounds": _count,
}
SAMPLING_KEYS: dict[str, Check] = {
    "base": _one_of(BASES),
    "weights": _mapping_of(_number),
    "by_need": _flag,
    "need_bound": _factor,
}
G2RPO_KEYS: dict[str, Check] = {
    "tie_epsilon": _number,
    "task_tie_epsilon": _mapping_of(_number),
    "group_map": _one_of(GROUP_MAPS),
    "plotting_position": _one_of(PLOTTING_POSITIONS),
    "zero_signal": _one_of(("zero", "published")),
    "task_map": _one_of(TASK_MAPS),
    "task_min_rows": _count,
    "recenter": _flag,
    "unit_variance": _one_of(("none", "group", "task")),
    "success_floor": _or_null(_number),
    "clip": _or_null(_positive),
    "components": _or_null(_mapping_of(_number)),
}
EMA_KEYS: dict[str, Check] = {
    "decay": _decay,
    "floor": _positive,
    "guard": _positive,
    "tie_epsilon": _number,
}


def read(
    block: Any, path: str, keys: Mapping[str, Check], problems: list[str], also: tuple[str, ...] = ()
) -> dict[str, Any]:
    """Checked values of a flat block; problems go to the list, and their keys are left out."""
    if block is None:
        return {}
    if not isinstance(block, Mapping):
        problems.append(f"{path} must be a block of settings, got {block!r}")
        return {}
    values = {}
    for key, value in block.items():
        if key not in keys:
            problems.append(f"{path}." + unknown("key", key, (*keys, *also)))
            continue
        try:
            values[key] = keys[key](value)
        except (ValueError, TypeError) as error:  # a list has no place among names
            problems.append(f"{path}.{key}={value!r}: {error}")
    return values


def read_block(block: Any, name: str, problems: list[str]) -> Any:
    """The settings of a block of BLOCKS; problems between its fields go to the list too, the defaults then stand."""
    keys, settings = BLOCKS[name]
    values = read(block, f"verl_ext.{name}", keys, problems)
    try:
        return settings(**values)
    except ValueError as error:
        problems.append(f"verl_ext.{error}")
        return settings()


def unknown(what: str, name: Any, known: Collection[str]) -> str:
    near = difflib.get_close_matches(str(name)[:100].lower(), list(known), n=1)
    nearest = f"the nearest is {near[0]!r}, " if near else ""
    return f"{name} is an unknown {what}; {nearest}known: {', '.join(known)}"


def unknown_task(what: str, name: Any, known: Collection[str]) -> str:
    from reward_fns.registry import external_modules  # half a second, for a mistake alone

    return f"{unknown(what, name, known)}; {external_modules()}"


def refuse(problems: list[str]) -> None:
    if problems:
        listed = "\n".join(f"  - {problem}" for problem in dict.fromkeys(problems))
        raise ValueError(f"{len(dict.fromkeys(problems))} problem(s) in the configuration:\n{listed}")
