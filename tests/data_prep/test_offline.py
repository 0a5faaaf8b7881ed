from __future__ import annotations

import hashlib
import json
import random
import re
from functools import cache
from io import BytesIO

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from pycocotools import mask as coco

from data_prep.offline import TASKS, OfflineSource
from data_prep.offline.canvas import COLORS, SHAPES, Scene, mask_box
from data_prep.offline.chart_vqa import draw_chart
from data_prep.offline.digits import pool, samples
from data_prep.offline.math_vqa import solve
from data_prep.schema import check_row, read_row_image
from reward_fns.registry import verify

SOURCE = OfflineSource(seed=3)
SPLITS = {"train": 240, "val": 120}


@cache
def rows_of(split: str) -> list[dict]:
    return [SOURCE.row(split, index) for index in range(SPLITS[split])]


def all_rows() -> list[dict]:
    return rows_of("train") + rows_of("val")


def of_task(*names: str) -> list[dict]:
    return [row for row in all_rows() if row["extra_info"]["task"] in names]


def info(row: dict) -> dict:
    return json.loads(row["extra_info"]["info"])


def truth(row: dict):
    return json.loads(row["reward_model"]["ground_truth"])


def question(row: dict) -> str:
    return row["prompt"][0]["content"]


def test_the_rows_fit_the_schema_and_name_their_task():
    for split in SPLITS:
        for index, row in enumerate(rows_of(split)):
            check_row(row)
            extra = row["extra_info"]
            assert (extra["index"], row["data_source"]) == (index, f"offline/{extra['task']}"), split
            assert row["ability"] == extra["category"] == TASKS[extra["task"]].category


@pytest.mark.parametrize("split", SPLITS)
def test_every_twelve_rows_hold_each_task_once_in_changing_order(split):
    names = [row["extra_info"]["task"] for row in rows_of(split)]
    blocks = [tuple(names[i : i + len(TASKS)]) for i in range(0, len(names), len(TASKS))]
    assert all(sorted(block) == sorted(TASKS) for block in blocks)
    assert len(set(blocks)) == len(blocks)


def test_a_row_depends_on_seed_split_and_index_only():
    for split, index in (("val", 41), ("train", 100), ("train", 5), ("val", 0)):
        assert SOURCE.row(split, index) == rows_of(split)[index]
    assert OfflineSource(seed=4).row("train", 5) != rows_of("train")[5]


@pytest.mark.parametrize("name", TASKS)
def test_the_target_is_right_and_the_empty_answer_is_not(name):
    for row in of_task(name):
        details = info(row)
        verdict = verify(name, details["target"], row["reward_model"]["ground_truth"], details)
        assert verdict.official == 1.0 and verdict.reward >= 0.75, (name, details, verdict)
        assert verify(name, "", row["reward_model"]["ground_truth"], details).reward == 0.0
        if TASKS[name].kind not in ("box", "point"):
            assert details["target"] == row["reward_model"]["ground_truth"]


def test_the_worked_text_is_not_in_the_prompt():
    assert all(info(row)["worked"] and info(row)["worked"] not in question(row) for row in all_rows())


def test_every_equation_of_the_worked_texts_holds():
    found = 0
    for row in all_rows():
        for a, sign, b, result in re.findall(r"(\d+) ([-+x]) (\d+) = (\d+)", info(row)["worked"]):
            value = {"+": int(a) + int(b), "-": int(a) - int(b), "x": int(a) * int(b)}[sign]
            assert value == int(result), info(row)["worked"]
            found += 1
    assert found > 100


@pytest.mark.parametrize(
    "name", ["digit_choice", "shape_color", "arithmetic", "digit_sum", "bar_value", "bar_difference", "relation",
             "field_read", "receipt_total"]
)  # fmt: skip
def test_the_worked_text_ends_with_the_answer(name):
    assert all(info(row)["worked"].split()[-1] == info(row)["target"] for row in of_task(name))


@given(st.integers(0, 99), st.integers(0, 99), st.sampled_from("+-x"))
def test_solve(left, right, sign):
    left, right = max(left, right), min(left, right)
    result, worked = solve(left, sign, right)
    assert result == {"+": left + right, "-": left - right, "x": left * right}[sign]
    assert worked.startswith(f"{left} {sign} {right} ") and worked.endswith(f"= {result}")


def test_images_are_rgb_png_with_a_white_ground():
    for row in all_rows():
        with Image.open(BytesIO(row["images"][0]["bytes"])) as image:
            assert (image.format, image.mode, image.size) == ("PNG", "RGB", (128, 128))
        pixels = np.asarray(read_row_image(row))
        assert 0.4 < (pixels == 255).all(axis=2).mean() < 0.995


def test_train_and_validation_share_no_picture():
    def keys(rows):
        return {hashlib.sha256(row["images"][0]["bytes"]).digest() for row in rows}

    assert not keys(rows_of("train")) & keys(rows_of("val"))


def test_train_and_validation_share_no_handwriting():
    train, val = ({n for numbers in pool(split).values() for n in numbers} for split in ("train", "val"))
    assert not train & val and len(train | val) == len(samples()[1])
    for split in SPLITS:
        used = {n for row in rows_of(split) for n in info(row).get("samples", [])}
        assert used and used <= {"train": train, "val": val}[split]


def test_facts_belong_to_one_split_whatever_the_seed_and_task():
    def sums(split: str, seed: int, task: str) -> set:
        scene = Scene(rng=random.Random(seed), task=task, split=split, size=128)
        return {scene.facts(lambda: (scene.rng.randint(1, 49), scene.rng.randint(1, 49))) for _ in range(300)}

    # Charts are drawn alike by two tasks: a picture must not be trained on by one and validated by the other.
    assert not sums("train", 0, "bar_value") & sums("val", 1, "bar_difference")


def test_the_digits_are_all_there():
    ink, labels = samples()
    assert ink.shape == (1797, 8, 8) and (ink.min(), ink.max()) == (0, 16)
    assert labels[:10].tolist() == list(range(10)) and np.bincount(labels).tolist() == [
        178, 182, 177, 183, 181, 182, 181, 179, 174, 180
    ]  # fmt: skip


def test_a_gold_box_is_tight():
    for row in of_task("shape_box", "digit_box"):
        box = [value * 128 / 1000 for value in truth(row)]
        assert all(value == round(value) for value in box)
        left, top, right, bottom = map(int, box)
        color = COLORS.get(question(row).split("of the ")[1].split()[0])
        pixels = np.asarray(read_row_image(row))[top:bottom, left:right]
        ink = (pixels == color).all(axis=2) if color else pixels[..., 0] < 190
        assert mask_box(ink) == [0, 0, 1000, 1000]
        assert left // 32 == (right - 1) // 32 and top // 32 == (bottom - 1) // 32


def test_a_gold_mask_covers_one_shape_of_the_named_colour():
    for row in of_task("point_to"):
        mask = coco.decode(truth(row)).astype(bool)
        pixels = np.asarray(read_row_image(row))
        color = COLORS[question(row).removeprefix("<image>Point to the ").split()[0]]
        assert (pixels[mask] == color).all() and 150 < mask.sum() < 32 * 32
        x, y = json.loads(info(row)["target"])["point_2d"]
        assert mask[int(y * 128 / 1000), int(x * 128 / 1000)] and x % 10 == y % 10 == 0


def test_a_named_thing_is_unique_in_its_picture():
    for row in of_task("point_to", "shape_box"):
        color, shape = re.search(rf"the ({'|'.join(COLORS)}) ({'|'.join(SHAPES)})", question(row)).groups()
        pixels = np.asarray(read_row_image(row))
        cells = [
            (x, y) for x in range(4) for y in range(4)
            if (pixels[32 * y : 32 * y + 32, 32 * x : 32 * x + 32] == COLORS[color]).all(axis=2).sum() > 100
        ]  # fmt: skip
        # One neighbour shares the colour and has another shape, the other shares the shape in another colour.
        assert len(cells) == 2 and shape


def test_a_relation_has_one_right_option():
    opposite = {"left": lambda a, b: a[0] < b[0], "right": lambda a, b: a[0] > b[0],
                "above": lambda a, b: a[1] < b[1], "below": lambda a, b: a[1] > b[1]}  # fmt: skip
    for row in of_task("relation"):
        first, second = re.findall(r"\b([a-d])([1-4])\b", info(row)["worked"])
        holding = [letter for letter, text in info(row)["choices"].items() if opposite[text](first, second)]
        assert holding == [row["reward_model"]["ground_truth"]]


@pytest.mark.parametrize("name", ["digit_choice", "relation"])
def test_options_are_shuffled_and_written_in_the_question(name):
    rows = of_task(name)
    assert len({row["reward_model"]["ground_truth"] for row in rows}) == 4
    for row in rows:
        assert " ".join(f"{letter}. {text}" for letter, text in info(row)["choices"].items()) in question(row)


def test_bars_are_as_high_as_their_values():
    scene = Scene(rng=random.Random(0), task="bar_value", split="train", size=128)
    for values in ([10, 50, 90], [90, 20, 30]):
        pixels = np.asarray(draw_chart(scene, ["red", "blue", "black"], values))
        for color, value in zip(("red", "blue"), values, strict=False):
            height = (pixels == COLORS[color]).all(axis=2).any(axis=1).sum()
            assert abs(height - value * 0.88 * 1.28) < 2.5


def test_larger_images_keep_their_golds():
    source = OfflineSource(seed=1, image_size=256)
    for index in range(len(TASKS)):
        row = source.row("train", index)
        assert read_row_image(row).size == (256, 256)
        assert (
            verify(
                row["extra_info"]["task"], info(row)["target"], row["reward_model"]["ground_truth"], info(row)
            ).official
            == 1
        )


def test_the_thinking_tag_is_in_the_prompt():
    assert "<think></think>" in question(OfflineSource(thinking_tag="think").row("train", 0))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"seed": -1}, "seed is -1"),
        ({"image_size": 100}, "image size is 100"),
        ({"image_size": 64}, "image size is 64"),
        ({"image_size": 1024}, "image size is 1024"),
        ({"thinking_tag": "thought"}, "'thought'"),
    ],
)
def test_bad_settings_are_refused(settings, message):
    with pytest.raises(ValueError, match=message):
        OfflineSource(**settings)
