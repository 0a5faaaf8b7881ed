"""RefCOCO, RefCOCO+, RefCOCOg: what is particular to their rows."""

import json
import pickle

import pytest
from raw_rows_b import INSTANCES, MUG, MUG_BOX, REFS, Form, grounding_tsv, hub, onethinker, picture

from data_prep.__main__ import main
from data_prep.benchmarks import find_source, refcoco, refcoco_plus, refcocog
from data_prep.benchmarks.refcoco_rows import PROMPT, relative
from data_prep.source import Options, SetAside

VAL, TEST_A = Options(split="val"), Options(split="testA")


def made(raw, options=TEST_A, module=refcoco):
    return list(module.convert(raw, options))


def test_every_expression_of_an_object_becomes_a_question_and_the_request_for_a_caption_none():
    first, second = made(MUG)
    assert first.text == PROMPT.format("the left mug") and second.text == PROMPT.format("mug by the sink")
    assert first.ground_truth == second.ground_truth == MUG_BOX
    assert first.info == {"split": "testA"}


@pytest.mark.parametrize(
    ("corners", "box", "mended"),
    [
        ([40, 30, 80, 60], [250.0, 250.0, 500.0, 500.0], False),
        ([1.23, 4.56, 7.89, 10.11], [7.6875, 38.0, 49.3125, 84.25], False),
        ([0, 0, 160.005, 120], [0, 0, 1000, 1000], False),
        ([-0.4, 0, 160.7, 119], [0, 0, 1000, 119 / 120 * 1000], True),
    ],
)
def test_boxes_are_relative_unrounded_and_clipped_by_less_than_a_pixel(corners, box, mended):
    found, repaired = relative(corners, 160, 120)
    assert found == pytest.approx(box, abs=1e-12) and bool(repaired) is mended


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"bbox": [40.0, 30.0, 121.5, 10.0]}, "box leaves the image"),
        ({"bbox": [-1.0, 30.0, 10.0, 10.0]}, "box leaves the image"),
        ({"bbox": [40.0, 30.0, 0.0, 10.0]}, "box has no area"),
        ({"bbox": [159.9, 30.0, -5.0, 10.0]}, "box has no area"),
        ({"bbox": [40.0, 30.0, 10.0]}, "no box"),
        ({"bbox": None}, "no box"),
        ({"bbox": [40.0, 30.0, float("nan"), 10.0]}, "no box"),
        ({"answer": []}, "no expression"),
        ({"answer": [" "]}, "no expression"),
        ({"image": None}, "image is missing"),
        ({"image": hub(b"not an image")}, "image is broken"),
    ],
)
def test_rows_that_cannot_be_used_say_why(change, reason):
    with pytest.raises(SetAside, match=reason):
        made({**MUG, **change})


@pytest.mark.parametrize("column", ["image", "answer", "bbox"])
def test_a_missing_column_is_a_key_error(column):
    with pytest.raises(KeyError, match=column):
        made({name: value for name, value in MUG.items() if name != column})


@pytest.mark.parametrize("column", ["image", "question", "answer", "category"])
def test_a_missing_column_of_the_harness_is_a_key_error(column):
    (row,) = grounding_tsv("RefCOCO testA")
    with pytest.raises(KeyError, match=column):
        made({name: value for name, value in row.items() if name != column})


@pytest.mark.parametrize("module", [refcoco, refcocog])
def test_val_of_the_hub_is_refused_and_named(module):
    """It is the paper's objects together with 5,000 of another division."""
    with pytest.raises(SetAside, match=r"val of the hub mixes two divisions.*--split lmms_val"):
        made(MUG, VAL, module)
    assert made(MUG, Options(split="lmms_val"), module)[0].info == {"split": "lmms_val"}
    for home in module.SOURCE.hub:
        assert home.splits["lmms_val"] == "val" and home.splits["val"] not in ("val", "test")


def test_the_refusal_ends_the_command(tmp_path, capsys):
    folder = Form("refcoco", "hub", "val", [MUG], []).write(tmp_path / "in")
    assert main(["prepare", "refcoco", "--input", str(folder), "--out", str(tmp_path / "out"), "--workers", "1"]) == 2
    assert "--split lmms_val" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("columns", "box"),
    [
        ({"answer": "[0.25, 0.25, 0.5, 0.75]"}, [250, 250, 500, 750]),
        ({"answer": "[40, 30, 80, 90]"}, [250, 250, 500, 750]),
        ({"answer": "[40, 30, 80, 90]", "width": "160", "height": "120"}, [250, 250, 500, 750]),
        ({"answer": "[80, 60, 160, 120]", "width": "320", "height": "240"}, [250, 250, 500, 500]),
        ({"answer": "[80, 60, 160, 120]", "width": "1.0", "height": "1.0"}, [500, 500, 1000, 1000]),
        ({"answer": "?", "bbox_x1": "40", "bbox_y1": "30", "bbox_x2": "80", "bbox_y2": "90"}, [250, 250, 500, 750]),
        ({"answer": None, "bbox": "[0.0, 0.0, 1.0, 1.0]"}, [0, 0, 1000, 1000]),
    ],
)
def test_boxes_of_the_harness_are_pixels_or_fractions(columns, box):
    (row,) = grounding_tsv("RefCOCO testA")
    (question,) = made({**row, **columns})
    assert question.ground_truth == box
    assert question.text == PROMPT.format("mug 0")


@pytest.mark.parametrize(
    ("columns", "module", "split"),
    [
        ({"category": "RefCOCO testA"}, refcoco, "testA"),
        ({"category": "RefCOCO test_A"}, refcoco, "testA"),
        ({"category": None, "split": "RefCOCO_testB"}, refcoco, "testB"),
        ({"category": "RefCOCO+ val"}, refcoco_plus, "val"),
        ({"category": "RefCOCOplus val"}, refcoco_plus, "val"),
        ({"category": "mug", "dataset": "RefCOCOg", "split": "test"}, refcocog, "test"),
    ],
)
def test_set_and_split_of_the_harness(columns, module, split):
    (row,) = grounding_tsv("")
    for other in (refcoco, refcoco_plus, refcocog):
        for name in other.SOURCE.splits[:3]:
            found = made({**row, **columns}, Options(split=name), other)
            assert bool(found) is (other is module and name == split)


def test_a_label_that_names_no_set_is_set_aside():
    with pytest.raises(SetAside, match="unknown split"):
        made(grounding_tsv("GroundingME")[0])


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        ("<answer>left</answer>", "no box"),
        ('<answer>{"boxes": [1, 2, 3]}</answer>', "no box"),
        ('<answer>{"boxes": [1, 2, 1001, 4]}</answer>', "box leaves the image"),
        ('<answer>{"boxes": [9, 2, 3, 4]}</answer>', "box has no area"),
    ],
)
def test_answers_of_onethinker_that_are_no_box(answer, reason):
    with pytest.raises(SetAside, match=reason):
        made({**onethinker("RefCOCO"), "answer": answer})


def test_rows_of_onethinker_of_another_set_are_passed_over():
    assert made(onethinker("RefCOCO")) and made(onethinker("refcoco_testA")) and made(onethinker("mine"))
    assert not made(onethinker("RefCOCOg")) and not made(onethinker("refcoco_val"))


def test_the_pickle_of_refer_is_refused_unread(tmp_path):
    class Trap:
        def __reduce__(self):
            return (tmp_path.joinpath("ran").touch, ())

    (tmp_path / "refs(unc).p").write_bytes(pickle.dumps(Trap()))
    load = find_source("refcoco").load
    with pytest.raises(ValueError, match=r"is a pickle.*refs\(unc\)\.json.*python -c"):
        list(load(tmp_path, VAL))
    with pytest.raises(ValueError, match="is a pickle"):
        list(load(tmp_path / "refs(unc).p", VAL))
    assert not (tmp_path / "ran").exists()


def test_refs_meet_their_boxes_and_images(tmp_path):
    refs = [REFS[0], {**REFS[0], "ann_id": 9}, {**REFS[0], "image_id": 9}]
    (tmp_path / "refs(unc).json").write_text(json.dumps(refs))
    (tmp_path / "instances.json").write_text(json.dumps(INSTANCES))
    good, no_box, no_image = find_source("refcoco").load(tmp_path, VAL)
    # The ref's own file name has the number of the annotation in it: there is no such file.
    assert good["image"] == "COCO_train2014_000000000101.png"
    assert [question.text for question in made(good, VAL)] == [PROMPT.format("left mug"), PROMPT.format("mug")]
    assert not made(good, TEST_A)
    with pytest.raises(SetAside, match="no box"):
        made(no_box, VAL)
    with pytest.raises(SetAside, match=r"not in instances\.json"):
        made(no_image, VAL)


def test_the_sets_of_one_data_folder_are_not_mixed(tmp_path):
    """refcoco and refcoco+ both have a refs(unc).json."""
    for name in ("refcoco", "refcoco+"):
        folder = tmp_path / name
        folder.mkdir()
        refs = [{**REFS[0], "sentences": [{"sent": name}]}]
        (folder / "refs(unc).json").write_text(json.dumps(refs))
        (folder / "instances.json").write_text(json.dumps(INSTANCES))
    for name in ("refcoco", "refcoco+"):
        (row,) = find_source(name).load(tmp_path, VAL)
        assert row["sentences"] == [{"sent": name}]


def test_pictures_are_not_decoded_for_their_size():
    cut = picture(3)[:80]
    (row,) = grounding_tsv("RefCOCO testA")
    (question,) = made({**row, "image": cut, "answer": "[40, 30, 80, 90]"})
    assert question.ground_truth == [250, 250, 500, 750]
