"""DocVQA, InfographicVQA, OCRBench: what is particular to their rows."""

import pytest
from raw_rows_b import FORMULA, FORMULA_OWN, INFO, MEMO, SIGN, SIGN_OWN, hub, picture

from data_prep.benchmarks import docvqa, infovqa, ocrbench
from data_prep.source import Options, SetAside

VALIDATION = Options(split="validation")
IMAGE = hub(picture(1))


@pytest.mark.parametrize(
    ("module", "raw", "truth"),
    [
        (docvqa, {**MEMO, "image": IMAGE, "answers": ["", "12", None]}, ["12"]),
        (docvqa, {"index": "1", "image": "x", "question": "?", "answer": "[1998, 2.5]"}, ["1998", "2.5"]),
        (docvqa, {"index": "1", "image": "x", "question": "?", "answer": "plain"}, ["plain"]),
        (infovqa, {**INFO, "image": IMAGE, "answers": [" 3 "]}, [" 3 "]),
        (ocrbench, {**SIGN, "image": IMAGE, "answer": "EXIT"}, ["EXIT"]),
        (ocrbench, {**SIGN, "image": IMAGE, "answer": ["EXIT", ""]}, ["EXIT"]),
        (ocrbench, SIGN_OWN, ["EXIT"]),
        (ocrbench, {**SIGN_OWN, "answers": ["7", "VII"]}, ["7", "VII"]),
        (ocrbench, {**SIGN_OWN, "answers": 1945}, ["1945"]),
        (ocrbench, FORMULA_OWN, ["[ x + Y ]"]),
    ],
)
def test_answers_become_a_list_without_empty_ones(module, raw, truth):
    (question,) = module.convert(raw, VALIDATION)
    assert question.ground_truth == truth


@pytest.mark.parametrize(
    ("module", "raw"),
    [
        (docvqa, {**MEMO, "image": IMAGE, "answers": None}),
        (docvqa, {**MEMO, "image": IMAGE, "answers": []}),
        (infovqa, {**INFO, "image": IMAGE, "answers": [""]}),
        (ocrbench, {**SIGN, "image": IMAGE, "answer": []}),
        (ocrbench, {**SIGN_OWN, "answers": " "}),
        (ocrbench, {"index": "0", "image": "x", "question": "?", "answer": "['']", "category": "Key Information"}),
    ],
)
def test_a_row_without_an_answer_is_set_aside(module, raw):
    """An empty gold of OCRBench is contained in every answer; the test answers of the RRC are not public."""
    with pytest.raises(SetAside, match="no answer"):
        list(module.convert(raw, VALIDATION))


@pytest.mark.parametrize(
    ("module", "raw", "info"),
    [
        (docvqa, {**MEMO, "image": IMAGE}, {"question_types": ["handwritten", "form"]}),
        (infovqa, {**INFO, "image": IMAGE}, {"answer_type": ["non-extractive"], "operation/reasoning": ["counting"]}),
        (docvqa, {"index": "1", "image": "x", "question": "?", "answer": "a"}, {}),
        (ocrbench, {**FORMULA, "image": IMAGE}, {"dataset": "HME100k", "question_type": FORMULA["question_type"]}),
        (ocrbench, SIGN_OWN, {"dataset": "IIIT5K", "question_type": "Regular Text Recognition"}),
    ],
)
def test_what_the_tables_need_goes_along(module, raw, info):
    (question,) = module.convert(raw, VALIDATION)
    assert question.info == info


@pytest.mark.parametrize(
    ("module", "raw"), [(docvqa, {**MEMO, "image": IMAGE}), (infovqa, {**INFO, "image": IMAGE}), (ocrbench, SIGN_OWN)]
)
@pytest.mark.parametrize("names", [{"question"}, {"answers"}, {"image", "image_path"}])
def test_a_missing_column_is_a_key_error(module, raw, names):
    with pytest.raises(KeyError):
        list(module.convert({name: value for name, value in raw.items() if name not in names}, VALIDATION))


def test_the_kind_of_a_question_of_ocrbench_may_not_lack():
    with pytest.raises(KeyError, match="question_type or type or category"):
        list(ocrbench.convert({"question": "?", "answer": ["a"], "image": IMAGE}, VALIDATION))


def test_a_split_column_of_the_harness_is_obeyed():
    raw = {"index": "1", "image": "x", "question": "?", "answer": "a"}
    assert list(docvqa.convert({**raw, "split": "val"}, VALIDATION))
    assert not list(docvqa.convert({**raw, "split": "test"}, VALIDATION))


def test_the_file_of_the_rrc_is_the_one_of_the_split_and_with_types(tmp_path):
    for name in ("val_v1.0", "val_v1.0_withQT", "test_v1.0", "infographicsVQA_val_v1.0"):
        (tmp_path / f"{name}.json").write_text(f'{{"dataset_name": "x", "data": [{{"questionId": "{name}"}}]}}')
    assert [row["questionId"] for row in docvqa.rrc_rows(tmp_path, VALIDATION)] == ["val_v1.0_withQT"]
    assert [row["questionId"] for row in infovqa.SOURCE.load(tmp_path, VALIDATION)] == ["infographicsVQA_val_v1.0"]
    assert [row["questionId"] for row in docvqa.rrc_rows(tmp_path / "test_v1.0.json", VALIDATION)] == ["test_v1.0"]
    with pytest.raises(ValueError, match=r"holds no train_v1\.0\*\.json"):
        docvqa.rrc_rows(tmp_path, Options(split="train"))
