"""EmbSpatial-Bench, RefSpatial-Bench, RoboSpatial-Home: what is particular to their rows."""

import numpy as np
import pytest
from raw_rows_b import BOWTIE, CONTEXT, EMB, EMB_TSV, FITS, REF_HUB, REF_TSV, TARGET, hub, mask, picture, robo

from data_prep.benchmarks import embspatial, refspatial, robospatial
from data_prep.source import Options, SetAside
from reward_fns.point import truth_mask

HERE = Options(split="location")
CONTEXTS = Options(split="context")
EMB_HUB = {**EMB, "image": hub(picture(1))}


def test_the_options_of_embspatial_stand_below_the_question():
    (question,) = embspatial.convert(EMB_HUB, Options(split="test"))
    assert question.text.splitlines()[1:] == ["A. The lamp is under the sofa.", "B. The lamp is left of the sofa.",
                                              "C. The lamp is above the sofa."]  # fmt: skip
    assert question.info == {"choices": dict(zip("ABC", EMB["answer_options"], strict=True)), "relation": "above",
                             "data_source": "mp3d"}  # fmt: skip


@pytest.mark.parametrize(
    ("module", "raw", "options", "reason"),
    [
        (embspatial, {**EMB_HUB, "answer": 3}, HERE, "not the number of an option"),
        (embspatial, {**EMB_HUB, "answer": None}, HERE, "no answer"),
        (embspatial, {**EMB_HUB, "answer_options": ["one"]}, HERE, "fewer than two options"),
        (embspatial, {**EMB_TSV, "answer": "E"}, HERE, "not a letter of the options"),
        (embspatial, {**EMB_TSV, "question": " "}, HERE, "no question"),
        (refspatial, {**REF_HUB[0], "mask": None}, HERE, "mask is missing"),
        (refspatial, {**REF_HUB[0], "mask": hub(mask(value=0))}, HERE, "mask is empty"),
        (refspatial, {**REF_HUB[0], "mask": hub(picture()[:60])}, HERE, "mask is broken"),
        (refspatial, {**REF_TSV, "mask": "no/such/mask.png", "split": "location"}, HERE, "mask file is missing"),
        (robospatial, robo({**CONTEXT, "answer": "[(0.1, 0.2), (0.3, 0.4)]"}), CONTEXTS, "fewer than three corners"),
        (robospatial, robo({**CONTEXT, "answer": "[(0.1, 0.2), (0.3, 1.4), (1, 1)]"}), CONTEXTS, "leaves the image"),
        (robospatial, robo({**CONTEXT, "answer": "[(0.1, 0.2), (0.1, 0.4), (0.1, 0.5)]"}), CONTEXTS, "no area"),
        (robospatial, robo({**CONTEXT, "answer": "perhaps"}), CONTEXTS, "neither yes, no nor a polygon"),
        (robospatial, robo({**CONTEXT, "answer": None}), CONTEXTS, "no answer"),
    ],
)
def test_rows_that_cannot_be_used_say_why(module, raw, options, reason):
    with pytest.raises(SetAside, match=reason):
        list(module.convert(raw, options))


@pytest.mark.parametrize(
    ("module", "raw", "options"),
    [(embspatial, EMB_HUB, HERE), (refspatial, REF_HUB[0], HERE), (robospatial, robo(CONTEXT), CONTEXTS)],
)
def test_a_missing_column_is_a_key_error(module, raw, options):
    for names in ({"question", "prompt"}, {"answer", "mask"}, {"image", "img"}):
        with pytest.raises(KeyError):
            list(module.convert({name: value for name, value in raw.items() if name not in names}, options))


@pytest.mark.parametrize(
    ("mode", "value"),
    [("L", 255), ("L", 1), ("1", 1), ("RGB", (9, 0, 0)), ("RGBA", (9, 0, 0, 0)), ("P", 7), ("LA", (3, 0))],
)
def test_any_value_but_zero_is_the_target(mode, value):
    coded = refspatial.run_length(hub(mask(mode, value)))
    pixels = truth_mask(coded).pixels
    x1, y1, x2, y2 = TARGET
    expected = np.zeros((120, 160), bool)
    expected[y1 : y2 + 1, x1 : x2 + 1] = True
    assert isinstance(coded["counts"], str) and coded["size"] == [120, 160]
    assert (pixels == expected).all()


def test_the_first_channel_counts_as_in_the_authors_code():
    with pytest.raises(SetAside, match="mask is empty"):
        refspatial.run_length(hub(mask("RGB", (0, 255, 0))))


def test_the_authors_request_for_a_list_of_tuples_is_left_out():
    (question,) = refspatial.convert(REF_HUB[0], HERE)
    assert question.text == "Please point out the cup behind the left bowl."
    (other,) = refspatial.convert({**REF_TSV, "prompt": None, "split": "location"}, HERE)
    assert other.text == "Please point out the free spot right of the cup."


def test_a_question_for_several_points_asks_for_the_one_that_is_judged():
    (question,) = robospatial.convert(robo(CONTEXT), CONTEXTS)
    assert question.text == "In the image, there is a bowl. Pinpoint one point in the free space left of it."
    (fits,) = robospatial.convert(robo(FITS), Options(split="compatibility"))
    assert (fits.text, fits.kind, fits.info["kind"]) == (FITS["question"], "yes_no", "yes/no")


def test_a_polygon_that_crosses_itself_stays_as_it_is():
    (question,) = robospatial.convert(robo({**CONTEXT, "answer": BOWTIE}), CONTEXTS)
    assert question.ground_truth == [[0.434, 0.834], [0.671, 0.838], [0.428, 0.993], [0.691, 0.996]]


def test_rows_of_other_splits_are_passed_over():
    assert not list(refspatial.convert(REF_TSV, HERE))
    assert not list(refspatial.convert({"index": 1, "category": "unseen"}, HERE))
    assert not list(robospatial.convert(robo(FITS), CONTEXTS))


def test_the_category_of_the_authors_files_is_not_the_split():
    assert list(refspatial.convert({**REF_HUB[0], "category": "kitchen"}, HERE))


def test_the_table_of_the_split_goes_before_the_one_of_all(tmp_path):
    for name in ("RefSpatial", "RefSpatial_Unseen", "RefSpatial_wo_unseen"):
        (tmp_path / f"{name}.tsv").write_text(f"index\tquestion\n0\t{name}\n")
    for split, name in (("unseen", "RefSpatial_Unseen"), ("location", "RefSpatial")):
        assert [row["question"] for row in refspatial.load(tmp_path, Options(split=split))] == [name]


def test_a_folder_without_the_split_says_what_to_do(tmp_path):
    (tmp_path / "Location").mkdir()
    (tmp_path / "Location" / "question.json").write_text("[]")
    with pytest.raises(ValueError, match=r"holds no Unseen/question\.json"):
        list(refspatial.load(tmp_path, Options(split="unseen")))
