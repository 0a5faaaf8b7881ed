"""The whole way from a prepared data set to the warm-started model's folder, made once per set of inputs."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import asdict, replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

from verl_ext.tiny_model import build, evaluate, rows, warm_start
from verl_ext.tiny_model.batches import encode
from verl_ext.tiny_model.tokenizer import train_tokenizer

REPORT = "tiny_model.json"
LIBRARIES = ("torch", "transformers", "tokenizers")
HELD_OUT = 30
"""Training rows per task that are kept for the accuracies of the report."""


def make_tiny_model(
    *, data: Path, out: Path, seed: int = 0, steps: int | None = None, size: build.ModelSize | None = None,
    recipe: warm_start.Recipe | None = None, progress: bool = True,
) -> tuple[dict[str, Any], bool]:  # fmt: skip
    """Makes `out`, a Hugging Face folder with `tiny_model.json`; returns that report and whether work was done.

    A folder made from the same inputs (data, seed, settings, code, library versions) is kept; an interrupted run goes
    on from its last saved step. Raises ValueError for a data set that is not complete.
    """
    size, recipe = size or build.ModelSize(), recipe or warm_start.Recipe()
    if steps is not None:
        recipe = replace(recipe, steps=steps)
    inputs = inputs_of(data, seed=seed, size=size, recipe=recipe)
    if (report := _kept(out, inputs["hash"])) is not None:
        return report, False
    started = time.monotonic()
    work = out.with_name(f".{out.name}.{inputs['hash'][:16]}")
    work.mkdir(parents=True, exist_ok=True)
    report = _make(data, work, seed=seed, size=size, recipe=recipe, progress=progress)
    report = {"inputs": inputs, **report, "seconds": round(time.monotonic() - started, 1)}
    (work / warm_start.STATE).unlink(missing_ok=True)
    (work / REPORT).write_text(json.dumps(report, indent=2) + "\n")
    _publish(work, out)
    return report, True


def inputs_of(data: Path, *, seed: int, size: build.ModelSize, recipe: warm_start.Recipe) -> dict[str, Any]:
    """What the model depends on, with `hash` over all of it."""
    try:
        manifest = json.loads((data / "manifest.json").read_text())
        split = manifest["splits"]["train"]["content_sha256"]
        tag = manifest["arguments"].get("thinking_tag", "thinking")
    except FileNotFoundError:
        raise ValueError(f"{data} has no manifest.json; make it with `python -m data_prep prepare`") from None
    except (ValueError, KeyError) as error:
        raise ValueError(f"{data / 'manifest.json'} cannot be read ({error}); prepare the data set anew") from error
    code = hashlib.sha256(b"".join(path.read_bytes() for path in sorted(Path(__file__).parent.glob("*.py"))))
    inputs = {
        "train_sha256": split,
        "thinking_tag": tag,
        "seed": seed,
        "size": asdict(size),
        "recipe": asdict(recipe),
        "code_sha256": code.hexdigest(),
        "versions": {name: version(name) for name in LIBRARIES},
    }
    text = json.dumps(inputs, sort_keys=True)
    return {**json.loads(text), "hash": hashlib.sha256(text.encode()).hexdigest()}


def _kept(out: Path, wanted: str) -> dict[str, Any] | None:
    try:
        report = json.loads((out / REPORT).read_text())
        return report if report["inputs"]["hash"] == wanted and (out / "model.safetensors").exists() else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        return None


def _make(
    data: Path, work: Path, *, seed: int, size: build.ModelSize, recipe: warm_start.Recipe, progress: bool
) -> dict[str, Any]:
    tag = json.loads((data / "manifest.json").read_text())["arguments"].get("thinking_tag", "thinking")
    path = data / "train.parquet"
    tokenizer = train_tokenizer(text for row in rows.read_rows(path) for text in rows.texts_of(row, thinking_tag=tag))
    processor = build.build_processor(tokenizer)
    model = build.build_model(tokenizer, size, seed=seed)
    examples = [rows.to_example(row, thinking_tag=tag) for row in rows.read_rows(path)]
    held_out, training = split_rows(examples)
    losses = warm_start.train(
        model, processor, [encode(example, processor) for example in training],
        recipe=recipe, seed=seed, state=work / warm_start.STATE, progress=progress,
    )  # fmt: skip
    model.eval()
    build.save(model, processor, work)
    responses = evaluate.answers(model, processor, held_out, thinking_tag=tag)
    return {
        **build.describe(model, tokenizer),
        "training_rows": len(training),
        "loss": round(sum(losses[-50:]) / len(losses[-50:]), 4),
        "held_out": evaluate.scores(held_out, responses),
    }


def split_rows(examples: Sequence[rows.Example]) -> tuple[list[rows.Example], list[rows.Example]]:
    """The first `HELD_OUT` rows of every task (never more than a tenth of it), and the others."""
    total: dict[str, int] = {}
    for example in examples:
        total[example.task] = total.get(example.task, 0) + 1
    seen: dict[str, int] = dict.fromkeys(total, 0)
    parts: tuple[list[rows.Example], list[rows.Example]] = ([], [])
    for example in examples:
        seen[example.task] += 1
        parts[seen[example.task] > min(HELD_OUT, max(1, total[example.task] // 10))].append(example)
    return parts


def _publish(work: Path, out: Path) -> None:
    """Puts the finished folder in the place of an older one."""
    old = out.with_name(f".{out.name}.old")
    shutil.rmtree(old, ignore_errors=True)
    if out.exists():
        os.replace(out, old)
    os.replace(work, out)
    shutil.rmtree(old, ignore_errors=True)
