"""Every launch script with `SMOKE=1`, two steps of the real pipeline each: `pytest -m smoke` (an hour)."""

import math
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from test_launch_scripts import ROOT, SCRIPTS

from verl_ext.run_log import read

pytestmark = [
    pytest.mark.smoke,
    pytest.mark.timeout(1200),
    pytest.mark.skipif(torch.cuda.is_available(), reason="the CPU platform is for machines without a GPU"),
]


@pytest.fixture(scope="module")
def shared(tmp_path_factory) -> Path:
    return tmp_path_factory.mktemp("shared")


@pytest.mark.parametrize("script", SCRIPTS)
def test_two_steps(script, shared, tmp_path):
    smoke = tmp_path / "smoke"
    smoke.mkdir()
    for name in ("data", "model"):
        (shared / name).mkdir(exist_ok=True)
        (smoke / name).symlink_to(shared / name)
    environment = os.environ | {
        "SMOKE": "1",
        "CACHE": str(tmp_path),
        "VENV": sys.prefix,
        "MINUTES": "8",
        "OUT": f"{tmp_path}/answers",
    }
    done = subprocess.run(["bash", script], cwd=ROOT, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-6000:]
    if script.endswith("evaluate.sh"):
        assert len((smoke / "run" / "validation" / "0.jsonl").read_text().splitlines()) == 24
        assert not (tmp_path / "answers").exists()
    else:
        steps = [entry for entry in read(smoke / "run" / "metrics.jsonl") if entry["step"] > 0]
        assert [entry["step"] for entry in steps] == [1, 2]
        assert all(math.isfinite(entry["actor/grad_norm"]) for entry in steps)
