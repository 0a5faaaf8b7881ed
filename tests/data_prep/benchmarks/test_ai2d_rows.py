import pytest

from data_prep.benchmarks.ai2d import SOURCE, convert
from data_prep.source import Options, SetAside

TEST = Options(split="test")
ROW = {"question": "Which part drinks?", "options": ["leaf", "root"], "answer": "1", "image": b""}


@pytest.mark.parametrize("answer", ["1", 1, 1.0])
def test_the_place_of_an_option_becomes_its_letter(answer):
    (question,) = convert({**ROW, "answer": answer}, TEST)
    assert (question.ground_truth, question.text) == ("B", "Which part drinks?\nA. leaf\nB. root")


@pytest.mark.parametrize("answer", ["2", "-1", "B", "root", None])
def test_a_place_that_is_none_is_set_aside(answer):
    with pytest.raises(SetAside):
        convert({**ROW, "answer": answer}, TEST)


def test_every_variant_has_a_home_on_the_hub():
    assert {hub.variant for hub in SOURCE.hub} == set(SOURCE.variants) == {"mask", "no_mask"}
