"""A task whose verifier hangs, for faults.py: what VERL_USE_EXTERNAL_MODULES names, as for a task of one's own.

STUCK says how: `sleeps` gives the interpreter up, `loops` never does (a regular expression that backtracks). Without it
the verifier is mended.
"""

from __future__ import annotations

import os
import re
import time
from pathlib import Path
from typing import Any

from reward_fns.registry import Task, register
from reward_fns.verdict import Verdict, binary


def verify_stuck(answer: str, ground_truth: Any, info: Any) -> Verdict:
    """Touches the file STUCK_MARK and hangs."""
    kind = os.environ.get("STUCK")
    if kind:
        Path(os.environ["STUCK_MARK"]).touch()
    if kind == "sleeps":
        time.sleep(10**6)
    if kind == "loops":
        re.match("(a+)+$", "a" * 64 + "b")
    return binary(answer.strip() == str(ground_truth), answer, "another answer")


register(Task("stuck", "math_vqa", verify_stuck, "integer", "examples/evidence/faults.py"))
