"""`examples/benchmarks/reward_curves.py`: dense rewards never pay more for a worse answer."""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path
from types import ModuleType

import pytest

PATH = Path(__file__).parents[2] / "examples" / "benchmarks" / "reward_curves.py"


def _load() -> ModuleType:
    spec = importlib.util.spec_from_file_location("reward_curves", PATH)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    sys.modules["reward_curves"] = module
    spec.loader.exec_module(module)
    return module


curves = _load()


@pytest.mark.parametrize("curve", curves.CURVES, ids=lambda curve: f"{curve.task}, {curve.fault}")
def test_a_better_answer_never_earns_less(curve: object) -> None:
    assert curves.faults(curve) == []


def test_the_check_can_fail() -> None:
    rising = curves.Curve("arithmetic", "x", 1, lambda x: (str(round(5 + x)), x), "6")
    assert "the best answer earns 0.0" in curves.faults(rising)[0]
    assert "1.0000 at" in curves.faults(rising)[1]
