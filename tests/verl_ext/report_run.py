"""A run folder with the files, names and shapes that training writes, and a page taken apart."""

from __future__ import annotations

import io
import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import yaml
from PIL import Image, ImageDraw
from pycocotools import mask as coco

from data_prep.schema import make_row, to_table

# task: category, accuracy before and after, question, envelope
TASKS = {
    "digit_choice": ("general_vqa", 0.31, 0.52, "Which digit is written? A. 3 B. 7 C. 1 D. 9", [4, 8, 40, 80]),
    "shape_color": ("general_vqa", 0.62, 0.71, "What colour is the circle?", [4, 8, 40, 80]),
    "arithmetic": ("math_vqa", 0.40, 0.91, "What is the result?", [8, 24, 70, 110]),
    "digit_sum": ("math_vqa", 0.28, 0.35, "What is the sum of the digits?", [8, 24, 70, 110]),
    "bar_value": ("chart_vqa", 0.22, 0.41, "What is the value of the red bar?", [6, 14, 60, 90]),
    "bar_difference": ("chart_vqa", 0.12, 0.18, "How much higher is the red bar than the blue bar?", [6, 14, 60, 90]),
    "relation": ("spatial_reasoning", 0.45, 0.66, "Where is the red circle? A. left B. right", [4, 8, 40, 80]),
    "point_to": ("spatial_reasoning", 0.51, 0.58, "Point to the green square.", [4, 8, 40, 80]),
    "field_read": ("document", 0.55, 0.61, "What is the city?", None),
    "receipt_total": ("document", 0.20, 0.49, "What is the total?", None),
    "shape_box": ("grounding", 0.48, 0.44, "Give the bounding box of the blue triangle.", [2, 4, 24, 48]),
    "digit_box": ("grounding", 0.38, 0.57, "Give the bounding box of the digit 7.", [2, 4, 24, 48]),
}
HOSTILE = '</pre><script>alert(1)</script><img src="http://evil.example/x.png" onerror=alert(1)>\ud800\x00'


def make_run(run: Path, *, steps: int = 40, rows: int = 12, tasks: dict = TASKS) -> Path:
    """Write the run. `rows` validation rows a task."""
    rng = np.random.default_rng(0)
    run.mkdir(parents=True, exist_ok=True)
    write_metrics(run, rng, steps, tasks)
    write_rows(run, rng, rows, steps, tasks)
    block = {
        "defaults": {"format_weight": 0.1, "length_weight": 0.1, "structure_weight": 0.1, "envelope": None}
        | {"entropy_band": [0.2, 0.6], "entropy_coeff": 0.02},
        "categories": {"grounding": {"entropy_band": [0.1, 0.5]}},
        "tasks": {task: {"envelope": envelope} for task, (*_, envelope) in TASKS.items() if envelope},
    }
    config = {
        "data": {"val_files": str(run / "val.parquet"), "train_batch_size": 24, "max_response_length": 128},
        "actor_rollout_ref": {
            "model": {"path": "models/tiny"},
            "actor": {"optim": {"lr": 3e-4}, "loss_agg_mode": "seq-mean-token-mean"},
            "rollout": {"n": 8, "temperature": 1.0},
        },
        "algorithm": {"adv_estimator": "g2rpo", "g2rpo": {"zero_signal": "zero"}},
        "trainer": {"total_training_steps": steps},
        "verl_ext": block,
    }
    (run / "config.yaml").write_text(yaml.safe_dump(config))
    return run


def write_metrics(run: Path, rng: np.random.Generator, steps: int, tasks: dict) -> None:
    edges = np.linspace(-4, 4, 33)
    records = [{"step": 0, "val-core/overall/acc": 0.3}]
    for step in range(1, steps + 1):
        record = {"step": step, "timing_s/step": 9.0, "timing_s/gen": 4.5 + rng.random(), "timing_s/reward": 0.2}
        record |= {"perf/throughput": 600 + 50 * rng.random(), "critic/rewards/mean": 0.4 + 0.3 * step / steps}
        record |= {"timing_s/old_log_prob": 1.1, "timing_s/adv": 0.05, "timing_s/update_actor": 2 + 0.3 * rng.random()}
        if step % 20 == 0:
            record |= {"timing_s/save_checkpoint": 3.0, "timing_s/testing": 31.0, "timing_s/step": 12.0}
        shares = rng.dirichlet(np.full(len(tasks), 30.0))
        per_category: dict[str, list[dict]] = {}
        for (task, (category, before, after, _, envelope)), share in zip(tasks.items(), shares, strict=True):
            progress = 1 - np.exp(-3 * step / steps)
            accuracy = float(np.clip(before + (after - before) * progress + rng.normal(0, 0.08), 0, 1))
            length = float((envelope or [0, 20, 30, 0])[1] * (0.7 + 0.9 * progress) + rng.normal(0, 1.5))
            groups = 2
            zero = float(rng.binomial(groups, 0.25)) / groups
            entropy = float(0.75 - 0.4 * progress + rng.normal(0, 0.03))
            sample = np.concatenate([rng.normal(0, 0.9, int(16 * (1 - zero))), np.zeros(int(16 * zero))])
            metrics = {
                "accuracy": accuracy, "reward": 0.1 + 0.85 * accuracy, "format": min(1.0, 0.7 + 0.4 * progress),
                "structure": 0.8 if "box" in task or "point" in task else 0.0, "length_reward": 0.6 * accuracy,
                "response_length/mean": length, "response_length/p95": 1.6 * length,
                "response_length/truncated": 0.01, "entropy": entropy, "entropy_in_band": float(0.2 < entropy < 0.6),
                "advantage/mean": 0.0, "advantage/std": 0.86, "advantage/min": -1.7, "advantage/max": 1.8,
                "zero_signal_groups": zero, "shaping_only_groups": (1 - zero) * 0.2, "groups": groups,
                "token_share": float(share),
                "gradient_weight_share": float((share + 1 / len(tasks)) / 2), "rows": 16,
            }  # fmt: skip
            per_category.setdefault(category, []).append(metrics)
            record |= {f"task/{task}/{key}": value for key, value in metrics.items()}
            counts = np.histogram(sample, edges)[0]
            record[f"task/{task}/advantage/hist"] = {"edges": edges.tolist(), "counts": counts.tolist()}
        for category, parts in per_category.items():
            record |= {f"category/{category}/{key}": float(np.mean([p[key] for p in parts])) for key in parts[0]}
        records.append(record)
    (run / "metrics.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))


def picture(rng: np.random.Generator, side: int = 128) -> tuple[bytes, list[int]]:
    """A white image with one shape, and the box of the shape, 0-1000."""
    size = side // 3
    x, y = (int(v) for v in rng.integers(0, side - size, 2))
    image = Image.new("RGB", (side, side), "white")
    colour = ("#d33", "#36c", "#2a2", "#e90")[rng.integers(4)]
    draw = ImageDraw.Draw(image)
    (draw.ellipse if rng.integers(2) else draw.rectangle)((x, y, x + size, y + size), fill=colour)
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue(), [round(1000 * v / side) for v in (x, y, x + size, y + size)]


def answers(task: str, box: list[int], right: bool, rng: np.random.Generator) -> tuple[object, str]:
    """(ground truth, an answer that is right or wrong)."""
    shift = 0 if right else int(rng.integers(150, 320))
    moved = [min(v + shift, 1000) for v in box]
    if task.endswith("_box"):
        return box, json.dumps({"boxes": moved})
    if task == "point_to":
        x, y = (moved[0] + moved[2]) // 2, (moved[1] + moved[3]) // 2
        mask = np.zeros((64, 64), dtype=np.uint8)
        mask[slice(*(v * 64 // 1000 for v in box[1::2])), slice(*(v * 64 // 1000 for v in box[::2]))] = 1
        encoded = coco.encode(np.asfortranarray(mask))
        return {"size": [64, 64], "counts": encoded["counts"].decode()}, json.dumps({"point_2d": [x, y]})
    truths = {"general_vqa": ("B", "C"), "math_vqa": ("62", "52"), "chart_vqa": ("48", "30")}
    truth, wrong = truths.get(TASKS[task][0], ("OSLO", "LENA"))
    return truth, truth if right else wrong


def write_rows(run: Path, rng: np.random.Generator, rows: int, steps: int, tasks: dict) -> None:
    """val.parquet, and a validation before, in the middle and at the end."""
    table, dumps, index = [], {0: [], steps // 2: [], steps: []}, 0
    for task, (category, before, after, question, _) in tasks.items():
        for _ in range(rows):
            image, box = picture(rng)
            luck = rng.random()
            for step, dump in dumps.items():
                share = before + (after - before) * step / steps
                right = bool((luck if rng.random() < 0.6 else rng.random()) < share)
                truth, answer = answers(task, box, right, rng)
                output = f"<thinking>{'I look at the image. ' * 3}</thinking><answer>{answer}</answer>"
                dump.append({
                    "input": question, "output": output, "gts": truth if isinstance(truth, str) else json.dumps(truth),
                    "score": float(right), "step": step, "reward": float(right), "acc": float(right),
                    "accuracy": float(right), "format": float(step > 0 or luck < 0.8), "structure": 0.0, "length": 0.5,
                    "response_tokens": 24 + step, "truncated": False, "task": task, "category": category,
                    "row": f"val/{index}",
                })  # fmt: skip
            table.append(
                make_row(
                    data_source="val", task=task, category=category, index=index, info={},
                    ground_truth=truth,
                    prompt=f"<image>{question} Think in <thinking></thinking>, then answer in <answer></answer>.",
                    images=[image],
                )
            )  # fmt: skip
            index += 1
    pq.write_table(to_table(table), run / "val.parquet")
    for step, dump in dumps.items():
        path = run / "validation" / f"{step}.jsonl"
        path.parent.mkdir(exist_ok=True)
        path.write_text("".join(json.dumps(row) + "\n" for row in dump))


class Page(HTMLParser):
    """Tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def count(self, tag: str, **attributes: str) -> int:
        want = {key.rstrip("_"): value for key, value in attributes.items()}
        return sum(1 for name, have in self.tags if name == tag and want.items() <= have.items())
