from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from data_prep.__main__ import main


def test_list_names_every_task(capsys):
    from data_prep.offline import TASKS

    assert main(["list"]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("offline:") and all(name in printed for name in TASKS)


def test_prepare_then_nothing_to_do(tmp_path, capsys):
    command = ["prepare", "offline", "--out", str(tmp_path), "--train", "12", "--val", "2", "--workers", "1"]
    assert main(command) == 0
    assert "made" in capsys.readouterr().out
    assert [pq.read_metadata(tmp_path / f"{split}.parquet").num_rows for split in ("train", "val")] == [12, 2]
    assert main(command) == 0
    assert "already there, nothing to do" in capsys.readouterr().out
    assert main([*command, "--force"]) == 0
    assert "nothing to do" not in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["ofline"], "unknown name 'ofline' (nearest: 'offline')"),
        (["offline", "--val", "0"], "val is 0"),
        (["offline", "--workers", "0"], "workers is 0"),
        (["offline", "--image-size", "100"], "image size is 100"),
        (["offline", "--seed", "-1"], "seed is -1"),
        (["offline", "--thinking-tag", "reason"], "unknown thinking tag 'reason'"),
    ],
)
def test_bad_input_exits_with_2(tmp_path, capsys, arguments, message):
    assert main(["prepare", *arguments, "--out", str(tmp_path / "data")]) == 2
    assert message in capsys.readouterr().err and not (tmp_path / "data").exists()


@pytest.mark.parametrize("arguments", ["", "prepare", "prepare offline", "prepare offline --out x --train many"])
def test_wrong_usage_exits_with_2(capsys, arguments):
    with pytest.raises(SystemExit) as caught:
        main(arguments.split())
    assert caught.value.code == 2 and "usage:" in capsys.readouterr().err


def test_ctrl_c_leaves_nothing_half_written(tmp_path):
    command = [sys.executable, "-m", "data_prep", "prepare", "offline", "--out", str(tmp_path), "--train", "200000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
    partial = tmp_path / "train.parquet.partial"
    deadline = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size > 10_000) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and not list(tmp_path.iterdir())
    assert "interrupted: nothing half-written is left" in errors and "Traceback" not in errors
