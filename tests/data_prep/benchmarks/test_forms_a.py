"""MMMU to CharXiv: every form of the data becomes the same questions, whose golds score 1."""

import json

import pytest
from raw_rows_a import FORMS

from data_prep.benchmarks import find_source
from data_prep.gold import gold_response
from data_prep.prompts import KINDS
from data_prep.schema import make_row
from data_prep.source import Options, Question, SetAside
from reward_fns.registry import TASKS
from reward_fns.score import compute_score

KEYS = {
    "mmmu": ("subject", "question_type"),
    "mmbench": ("group", "choices"),
    "mmstar": ("category", "l2_category", "choices"),
    "mathvista": ("question_type", "answer_type", "choices"),
    "mathverse": ("problem_version", "question_type"),
    "mathvision": ("subject", "choices"),
    "ai2d": ("choices",),
    "chartqa": ("type",),
    "charxiv": ("inst_category", "question"),
}
"""What the verifiers and the tables of `reward_fns.aggregate` read."""


def questions(form):
    source, options = find_source(form.benchmark), Options(split=form.split, variant=form.variant)
    return [question for row in form.rows for question in source.convert(row, options)]


def row_of(name: str, question: Question, index: int = 0) -> dict:
    task = TASKS[name]
    marks = question.text.count("<image>")
    front = "<image>" * (len(question.images) - marks)
    return make_row(
        data_source=name,
        task=name,
        category=task.category,
        index=index,
        prompt=front + question.text,
        ground_truth=question.ground_truth,
        info=question.info,
        images=[b"x" for _ in question.images] or None,
    )


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.id)
def test_every_form_gives_its_truths(form):
    made = questions(form)
    assert [question.ground_truth for question in made] == form.truths
    for question in made:
        assert set(KEYS[form.benchmark]) <= set(question.info)
        assert question.kind in KINDS
        assert question.text.strip()
        json.dumps(question.info)
        assert not question.unverifiable


@pytest.mark.parametrize("form", FORMS, ids=lambda form: form.id)
def test_gold_answers_score_one(form):
    for index, question in enumerate(questions(form)):
        row = row_of(form.benchmark, question, index)
        truth = row["reward_model"]["ground_truth"]
        result = compute_score(row["data_source"], gold_response(row), truth, row["extra_info"])
        assert (result["acc"], result["accuracy"], result["format"]) == (1, 1, 1), (truth, result)


@pytest.mark.parametrize(
    ("form", "lost"),
    [
        (form, lost)
        for form in FORMS
        for lost in ("question", "answer", "image")
        if (form.variant, lost) != ("text_only", "image")
    ],
    ids=lambda value: getattr(value, "id", value),
)
def test_a_missing_column_is_a_key_error(form, lost):
    names = {
        "question": {"question", "query", "reasoning_q"},
        "answer": {"answer", "label", "reasoning_a"},
        "image": {"image", "decoded_image", *(f"image_{at}" for at in range(1, 8))},
    }[lost]
    row = {name: value for name, value in form.rows[0].items() if name not in names}
    with pytest.raises(KeyError):
        find_source(form.benchmark).convert(row, Options(split=form.split, variant=form.variant))


@pytest.mark.parametrize("form", [form for form in FORMS if form.benchmark != "mathverse"], ids=lambda form: form.id)
def test_a_row_without_question_is_set_aside(form):
    names = {"question", "query", "reasoning_q"} & set(form.rows[0])
    row = {**form.rows[0], **dict.fromkeys(names, " ")}
    with pytest.raises(SetAside, match="no question"):
        find_source(form.benchmark).convert(row, Options(split=form.split, variant=form.variant))


@pytest.mark.parametrize("name", KEYS)
def test_sources_say_what_the_command_line_needs(name):
    source = find_source(name)
    assert source.name == name and source.task in TASKS
    assert set(source.rows) == set(source.splits)
    assert all(hub.variant is None or hub.variant in source.variants for hub in source.hub)
