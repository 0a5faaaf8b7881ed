from __future__ import annotations

import pytest

from reward_fns.registry import verify


@pytest.mark.parametrize(
    ("category", "answer", "truth", "right", "why"),
    [
        (1, "Joint-CNN", "Joint-CNN", True, "equal"),
        (1, "joint–cnn", "Joint-CNN", True, "case and dashes"),
        (1, "α_t", r"$\alpha_{t}$", True, "notation"),
        (1, "lambda_L = 0.13", "λ_L=0.13", True, "Greek letters by name"),
        (1, "b", "(b)", True, "brackets"),
        (1, r"\boxed{b}", "(b)", True, "a box"),
        (1, r"$\boxed{\text{Joint-CNN}}$", "Joint-CNN", True, "a box"),
        (1, "SRLSTM, MomentumLSTM", "MomentumLSTM, SRLSTM", True, "order"),
        (1, "MomentumLSTM and SRLSTM", "MomentumLSTM, SRLSTM", True, "and"),
        (1, "ACC", "ACC+", False, "another term"),
        (1, "ACC+, ACC", "ACC+", False, "a further term"),
        (1, "MomentumLSTM", "MomentumLSTM, SRLSTM", False, "a missing term"),
        (1, "", "ACC", False, "empty"),
        (1, "A, B, and C", "A, B, C", True, "a comma and an and"),
        (1, "A, B, C", "A, B, & C", True, "a comma and an and"),
        (1, "A, B, and", "A, B, C", False, "a missing term"),
        (1, '**"Ours"**', "Ours", True, "quotes and stars round the whole"),
        (1, "“A”, `B`", "A, B", True, "quotes round each term"),
        (1, "Ours", "Ours*", False, "a star"),
        (1, "Ours^{*}", "Ours*", True, "a star"),
        (1, "ACC*", "ACC", False, "a star"),
        (1, "ACC'", "ACC", False, "a prime"),
        (1, "f", "f'", False, "a prime"),
        (1, "$f^{\\prime}$", "f'", True, "a prime"),
        (1, "102", "10^2", False, "a power"),
        (1, "102", "10²", False, "a power"),
        (1, "$10^{2}$", "10²", True, "a power"),
        (1, "x2", "$x^2$", True, "superscripts of names are flat"),
        (1, "ε", r"$\varepsilon$", True, "a variant"),
        (1, r"$\epsilon$", r"$\varepsilon$", True, "a variant"),
        (1, r"$\varphi$", r"$\phi$", True, "a variant"),
        (1, "L_1", r"$\mathcal{L}_1$", True, "fonts"),
        (1, "x_1", r"\mathbf{x}_1", True, "fonts"),
        (1, "x_2", r"\mathbf{x}_1", False, "another index"),
        (1, "x ≤ 3", r"$x \leq 3$", True, "a sign"),
        (1, "x ≥ 3", r"$x \leq 3$", False, "another sign"),
        (3, "30, 40, and 50", "30, 40, 50", True, "a comma and an and"),
        (3, "0.01" + " " * 100 + "no: 5", "0.01", False, "text far behind"),
        (3, "30, 40" + " " * 200 + "or 5", "30, 40", False, "text far behind"),
        (3, "94.0", "94", True, "the same value"),
        (3, "40000", "40,000", True, "separators"),
        (3, "0.01", "10^-2", True, "powers of ten"),
        (3, "10⁻²", "10^{-2}", True, "superscripts"),
        (3, r"1.5 \times 10^3", "1500", True, "scientific"),
        (3, "1.5e3", "1500", True, "scientific"),
        (3, "0.012", "0.01", False, "not exactly"),
        (3, "40, 30", "30, 40", True, "pairs"),
        (3, "30", "30, 40", False, "half a pair"),
        (4, "3", "3", True, "count"),
        (4, "3 or 4", "3", False, "two numbers"),
        (4, "9.2", "9.17", False, "rounded"),
        (2, "Yes.", "yes", True, "closed set"),
        (2, "Yes!", "yes", True, "closed set"),
        (2, "no", "yes", False, "closed set"),
    ],
)
def test_rules(category: int, answer: str, truth: str, right: bool, why: str) -> None:
    verdict = verify("charxiv", answer, truth, {"inst_category": category})
    assert (verdict.official, verdict.reward) == (float(right), float(right)), why


def test_open_general_answers_are_unverifiable_for_every_answer() -> None:
    for answer in ("increasing", "goes up", ""):
        verdict = verify("charxiv", answer, "increasing", {"inst_category": 2})
        assert (verdict.official, verdict.reward) == (None, 0.0)


def test_an_option_of_the_question_is_verifiable() -> None:
    info = {"inst_category": 2, "question": "Which is closest; top cluster, right cluster, or bottom cluster?"}
    assert verify("charxiv", "Right cluster", "right cluster", info).official == 1.0
    assert verify("charxiv", "top cluster", "right cluster", info).official == 0.0


@pytest.mark.parametrize(
    ("truth", "question"),
    [("Low", "How does the loss follow?"), ("art", "Which part is it?"), ("is top", "Which is topmost?")],
)
def test_a_part_of_a_word_is_no_option(truth: str, question: str) -> None:
    assert verify("charxiv", truth, truth, {"inst_category": 2, "question": question}).official is None


def test_an_option_may_stand_between_signs() -> None:
    info = {"inst_category": 2, "question": "Is the loss (low/high)?"}
    assert verify("charxiv", "low", "Low", info).official == 1.0
