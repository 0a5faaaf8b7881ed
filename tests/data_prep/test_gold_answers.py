from __future__ import annotations

import json
import runpy
from pathlib import Path

import pytest

from data_prep.gold import gold_answer, gold_response
from data_prep.offline import TASKS, OfflineSource
from reward_fns.registry import TASKS as ALL_TASKS
from reward_fns.score import compute_score
from reward_fns.settings import RewardSettings

ROWS = runpy.run_path(str(Path(__file__).parents[1] / "reward_fns" / "rows.py"))["ROWS"]


def prepared(task: str, truth, info: dict) -> dict:
    text = truth if isinstance(truth, str) else json.dumps(truth)
    return {
        "data_source": f"set/{task}",
        "reward_model": {"ground_truth": text},
        "extra_info": {"task": task, "index": 0, "info": json.dumps(info)},
    }


def score(row: dict, response: str, **settings) -> dict:
    truth = row["reward_model"]["ground_truth"]
    return compute_score(row["data_source"], response, truth, row["extra_info"], settings=RewardSettings(**settings))


@pytest.mark.parametrize("row", ROWS, ids=[f"{at}-{row.task}" for at, row in enumerate(ROWS)])
def test_the_gold_answer_of_every_task_scores_one(row):
    built = prepared(row.task, row.truth, row.info)
    found = score(built, gold_response(built))
    assert (found["acc"], found["accuracy"], found["format"]) == (1.0, pytest.approx(1.0), 1.0)
    assert found["structure"] == float(ALL_TASKS[row.task].structure is not None)


@pytest.mark.parametrize("tag", ["thinking", "think"])
def test_offline_rows(tag):
    source = OfflineSource(thinking_tag=tag)
    for index in range(3 * len(TASKS)):
        row = source.row("train", index)
        found = score(row, gold_response(row).replace("thinking>", f"{tag}>"), thinking_tag=tag)
        assert (found["acc"], found["accuracy"], found["format"]) == (1.0, 1.0, 1.0)


@pytest.mark.parametrize("box", [[0, 0, 1000, 1000], [12.3456789, 1 / 3, 999.999999, 1000], [999.1, 2, 1000, 1000]])
@pytest.mark.parametrize("size", [(3, 7), (1333, 999), (640, 480)])
@pytest.mark.parametrize("box_format", ["relative_1000", "pixels", "unit"])
def test_boxes_in_every_unit(box, size, box_format):
    info = {"box_format": box_format, "width": size[0], "height": size[1]}
    built = prepared("refcoco", box, info)
    assert score(built, gold_response(built))["accuracy"] == 1.0


@pytest.mark.parametrize("point_format", ["unit", "relative_1000"])
@pytest.mark.parametrize("size", [(5, 9), (301, 3999)])
def test_a_mask_of_one_pixel_and_a_ring_are_hit(point_format, size):
    import numpy as np
    from pycocotools import mask as coco

    one, ring = np.zeros(size, np.uint8, order="F"), np.zeros(size, np.uint8, order="F")
    one[-1, -1] = ring[0] = ring[-1] = ring[:, 0] = ring[:, -1] = 1
    for pixels in (one, ring):
        encoded = coco.encode(pixels)
        truth = {"size": [*encoded["size"]], "counts": encoded["counts"].decode()}
        built = prepared("refspatial", truth, {"point_format": point_format})
        found = score(built, gold_response(built))
        assert (found["acc"], found["accuracy"]) == (1.0, 1.0)


def test_a_hollow_polygon_is_hit_outside_its_middle():
    """The middle of an L or a U lies outside."""
    polygon = [[0.1, 0.1], [0.9, 0.1], [0.9, 0.9], [0.8, 0.9], [0.8, 0.2], [0.2, 0.2], [0.2, 0.9], [0.1, 0.9]]
    built = prepared("robospatial", polygon, {"kind": "point", "point_format": "unit"})
    assert score(built, gold_response(built))["accuracy"] == 1.0


def test_the_first_accepted_text_that_is_not_empty():
    assert gold_answer(prepared("docvqa", ["", "Oslo", "OSLO"], {})) == "Oslo"


def test_an_unknown_task_is_an_error():
    with pytest.raises(ValueError, match="unknown task 'shape_bxo'"):
        gold_answer(prepared("shape_bxo", "1", {}))
