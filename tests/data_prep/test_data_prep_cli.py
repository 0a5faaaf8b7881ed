from __future__ import annotations

import argparse
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from data_prep import prepare_command
from data_prep.__main__ import main
from data_prep.benchmarks import find_source


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
        (["offline", "--convention", "qwen2_5_vl"], "--convention is not for offline (its boxes are 0-1000)"),
        (["offline", "--limit", "5"], "--limit is not for offline (use --train and --val)"),
        (["offline", "--categories", "document"], "--categories is not for offline (it has all six)"),
        (["offline", "--max-pixels", "1"], "--max-pixels is not for offline (use --image-size)"),
        (["offline", "--input", "foo", "--strict"], "--strict is not for offline (its rows are drawn, by --seed)"),
        (["mmstar", "--train", "10"], "--train is not for mmstar (it is for offline; use --limit)"),
        (["mmstar", "--seed", "0"], "--seed is not for mmstar (it is for offline; rows keep their order)"),
        (["mmstar", "--types", "math"], "--types is not for mmstar (it is for onethinker)"),
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


def interruptible() -> None:
    """Where the tests themselves run in the background, their children would ignore SIGINT."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def test_ctrl_c_leaves_nothing_half_written(tmp_path):
    command = [sys.executable, "-m", "data_prep", "prepare", "offline", "--out", str(tmp_path), "--train", "200000"]
    process = subprocess.Popen(
        command, stderr=subprocess.PIPE, text=True, start_new_session=True, preexec_fn=interruptible
    )
    partial = tmp_path / "train.parquet.partial"
    deadline = time.monotonic() + 60
    while not (partial.exists() and partial.stat().st_size > 10_000) and time.monotonic() < deadline:
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=30)
    assert process.returncode == 130 and not list(tmp_path.iterdir())
    assert "interrupted: nothing half-written is left" in errors and "Traceback" not in errors


def made_up(tmp_path, count: int = 3):
    """MMStar rows in the hub's schema, as a JSON file with base64 images."""
    import base64
    import json
    from io import BytesIO

    from PIL import Image

    buffer = BytesIO()
    Image.new("RGB", (80, 60), "red").save(buffer, format="PNG")
    row = {"question": "Which? Options: A: a cat, B: a dog, C: a cow, D: a hen", "answer": "B", "category": "coarse",
           "l2_category": "image", "image": base64.b64encode(buffer.getvalue()).decode()}  # fmt: skip
    path = tmp_path / "rows.json"
    path.write_text(json.dumps([{"index": number, **row} for number in range(count)]))
    return path


def prepare(path, out, *options) -> list[str]:
    return ["prepare", "mmstar", "--input", str(path), "--out", str(out), "--workers", "1", *options]


def test_a_benchmark_from_a_file(tmp_path, capsys):
    command = prepare(made_up(tmp_path), tmp_path / "out")
    assert main(command) == 0
    printed = capsys.readouterr().out
    assert "val made" in printed and "3 rows (general_vqa 3)" in printed and "published: 1500 rows" in printed
    assert pq.read_metadata(tmp_path / "out" / "val.parquet").num_rows == 3
    assert main(command) == 0 and "already there, nothing to do" in capsys.readouterr().out


def test_strict_tells_scripts_that_rows_are_missing(tmp_path):
    assert main(prepare(made_up(tmp_path), tmp_path / "out", "--strict")) == 3
    assert main(prepare(made_up(tmp_path), tmp_path / "two", "--strict", "--limit", "2")) == 0


@pytest.mark.parametrize(
    ("option", "field", "value", "default"),
    [
        ("--input=rows.json", "input", Path("rows.json"), None),
        ("--revision=v1.0", "revision", "v1.0", None),
        ("--images=paths", "images", "paths", "bytes"),
        ("--image-root=pictures", "image_root", Path("pictures"), None),
        ("--min-pixels=1", "min_pixels", 1, 3136),
        ("--max-pixels=9999", "max_pixels", 9999, 1048576),
        ("--thinking-tag=think", "thinking_tag", "think", "thinking"),
        ("--categories=document", "categories", ("document",), ()),
        ("--limit=7", "limit", 7, None),
        ("--on-error=stop", "stop_on_error", True, False),
        ("--workers=5", "workers", 5, 2),
    ],
)
def test_options_reach_the_work(option, field, value, default):
    parser = argparse.ArgumentParser()
    prepare_command.add_arguments(parser)
    for options, expected in (([option], value), ([], default)):
        arguments = parser.parse_args(["mmstar", "--out", "out", *options])
        (job,) = prepare_command.jobs(arguments, find_source("mmstar"))
        assert getattr(job, field) == expected


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--split", "test"], "unknown split of mmstar 'test' (nearest: 'val'); known: val"),
        (["--variant", "masked"], "unknown variant of mmstar 'masked'; known: none"),
        (["--convention", "qwen3"], "unknown convention 'qwen3' (nearest: 'qwen3_vl')"),
        (["--categories", "maths_vqa"], "unknown category 'maths_vqa' (nearest: 'math_vqa')"),
        (["--thinking-tag", "reason"], "unknown thinking tag 'reason'"),
        (["--limit", "0"], "limit is 0"),
        (["--workers", "0"], "workers is 0"),
        (["--max-pixels", "100"], "--min-pixels 3136 --max-pixels 100"),
        (["--input", "/nowhere"], "--input /nowhere is not there"),
    ],
)
def test_bad_options_of_a_benchmark_exit_with_2(tmp_path, capsys, options, message):
    assert main([*prepare(made_up(tmp_path), tmp_path / "out"), *options]) == 2
    assert message in capsys.readouterr().err and not list(tmp_path.glob("out/*"))


def test_an_interrupt_keeps_what_is_finished(tmp_path, capsys, monkeypatch):
    from data_prep.convert import Conversion

    def interrupted(self, raw):
        raise KeyboardInterrupt

    monkeypatch.setattr(Conversion, "outcome", interrupted)
    assert main(prepare(made_up(tmp_path), tmp_path / "out")) == 130
    assert "interrupted: finished parts are kept; run the same command to go on" in capsys.readouterr().err


def test_without_a_network_the_message_names_the_input_option(tmp_path, capsys, monkeypatch):
    def unreachable(*args, **options):
        raise ConnectionError("no route to host")

    monkeypatch.setattr("huggingface_hub.HfApi.dataset_info", unreachable)
    assert main(["prepare", "mmstar", "--out", str(tmp_path / "out")]) == 2
    printed = capsys.readouterr().err
    assert "cannot be reached on the hub" in printed and "no route" in printed and "--input PATH" in printed
