from __future__ import annotations

import copy
import json
from io import BytesIO

import pytest
from PIL import Image

from data_prep.schema import SCHEMA, check_row, make_row, read_row_image, to_table


def png(color: str = "red") -> bytes:
    buffer = BytesIO()
    Image.new("RGB", (8, 6), color).save(buffer, format="PNG")
    return buffer.getvalue()


def good_row(**changes) -> dict:
    row = {
        "data_source": "offline/arithmetic",
        "task": "arithmetic",
        "category": "math_vqa",
        "index": 7,
        "prompt": "<image>What is the result?",
        "ground_truth": "62",
        "info": {"target": "62"},
        "images": [png()],
    }
    return make_row(**{**row, **changes})


def test_a_row_survives_the_schema():
    row = good_row()
    table = to_table([row])
    assert table.schema.equals(SCHEMA, check_metadata=True) and table.to_pylist() == [row]


@pytest.mark.parametrize(
    ("truth", "stored"),
    [("62", "62"), ([1.5, 2.0, 3.0, 4.0], "[1.5, 2.0, 3.0, 4.0]"), ({"size": [2, 2]}, '{"size": [2, 2]}')],
)
def test_lists_and_objects_become_json_text(truth, stored):
    assert good_row(ground_truth=truth)["reward_model"]["ground_truth"] == stored


def test_a_text_only_row_has_null_images():
    row = good_row(prompt="What is 1 + 1?", images=None)
    assert row["images"] is None and row["videos"] is None


def change(*path):
    """A function that sets the value at `path` (last item) in a copy of a row."""

    def apply(row: dict) -> dict:
        row = copy.deepcopy(row)
        *keys, last, value = path
        inner = row
        for key in keys:
            inner = inner[key]
        inner[last] = value
        return row

    return apply


@pytest.mark.parametrize(
    ("spoil", "field"),
    [
        (lambda row: {key: row[key] for key in row if key != "images"}, "images is missing"),
        (change("audio", None), "audio is not in the schema"),
        (change("data_source", 3), "data_source must be string, not int"),
        (change("data_source", ""), "data_source is empty"),
        (change("data_source", None), "data_source must be string"),
        (change("reward_model", "ground_truth", ""), "reward_model.ground_truth is empty"),
        (change("reward_model", None), "reward_model must be an object, not NoneType"),
        (change("reward_model", "answer", "1"), "reward_model.answer is not in the schema (style, ground_truth)"),
        (change("extra_info", "task", None), "extra_info.task"),
        (change("extra_info", "index", -1), "extra_info.index is -1"),
        (change("extra_info", "index", True), "extra_info.index must be int64, not bool"),
        (change("extra_info", "category", "maths"), "extra_info.category"),
        (change("ability", "grounding"), "extra_info.category"),
        (change("extra_info", "info", "{"), "extra_info.info is not JSON"),
        (change("extra_info", "info", "[]"), "extra_info.info must be a JSON object"),
        (change("prompt", []), "prompt has no message"),
        (change("prompt", 0, "content", None), "prompt[0].content must be string, not NoneType"),
        (change("prompt", 0, "content", "no picture"), "prompt has 0 <image> for 1 images"),
        (change("prompt", 0, "content", "<image><image>two"), "prompt has 2 <image> for 1 images"),
        (change("images", []), "images is an empty list"),
        (change("images", 0, "bytes", None), "images[0] has neither bytes nor path"),
        (change("images", 0, "bytes", b""), "images[0] has neither bytes nor path"),
        (change("images", "a.png"), "images must be a list, not str"),
        (change("videos", []), "videos is an empty list"),
    ],
)
def test_a_bad_row_is_refused_by_row_and_field(spoil, field):
    with pytest.raises(ValueError, match=r"row .* of ") as caught:
        check_row(spoil(good_row()))
    assert field in str(caught.value)


def test_an_error_names_the_row():
    with pytest.raises(ValueError, match="row 7 of offline/arithmetic: prompt"):
        good_row(prompt="no placeholder")


def test_read_row_image():
    image = read_row_image(good_row())
    assert (image.mode, image.size, image.getpixel((0, 0))) == ("RGB", (8, 6), (255, 0, 0))


@pytest.mark.parametrize(
    ("spoil", "why"),
    [
        (lambda row: {key: row[key] for key in row if key != "images"}, "images has no image 0"),
        (change("images", None), "images has no image 0"),
        (change("images", 0, "bytes", None), "has no bytes"),
        (change("images", 0, "path.png"), "has no bytes"),
        (change("images", 0, "bytes", b"not a picture"), "cannot be read"),
        (change("images", 0, "bytes", png()[:50]), "cannot be read"),
        (change("images", 0, "bytes", png()[:40] + bytes(20) + png()[60:]), "cannot be read"),
    ],
)
def test_an_unreadable_image_is_named(spoil, why):
    with pytest.raises(ValueError, match="row 7 of offline/arithmetic") as caught:
        read_row_image(spoil(good_row()))
    assert why in str(caught.value)


def test_info_keeps_its_texts():
    assert json.loads(good_row(info={"name": "Zoë"})["extra_info"]["info"]) == {"name": "Zoë"}
