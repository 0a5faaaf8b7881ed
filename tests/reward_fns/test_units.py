from __future__ import annotations

import pytest

from reward_fns.units import split_unit


@pytest.mark.parametrize(
    ("body", "value", "kind", "power", "size"),
    [
        ("5 cm", "5", "length", 1, 0.01),
        ("5 centimetres", "5", "length", 1, 0.01),
        ("5 inches", "5", "length", 1, 0.0254),
        ("5 m", "5", "length", 1, 1),
        ("5 min", "5", "time", 1, 60),
        (r"5\mathrm{~cm}", "5", "length", 1, 0.01),
        (r"5\,\text{cm}^2", "5", "length", 2, 0.0001),
        ("5 square metres", "5", "length", 2, 1),
        ("5 cubic units", "5", "unit", 3, 1),
        ("5 ml", "5", "length", 3, 1e-6),
        (r"30^{\circ}", "30", "degree", 1, 1),
        (r"36\pi cm", r"36\pi", "length", 1, 0.01),
        (r"\pi r^2\text{ m}", r"\pi r^2", "length", 1, 1),
        ("x=5 m", "x=5", "length", 1, 1),
        ("15 m/s", "15", "length^1/time^1", 1, 1),
        (r"15\text{ m/s}", "15", "length^1/time^1", 1, 1),
        (r"54\text{ km}/\text{h}", "54", "length^1/time^1", 1, 1000 / 3600),
        ("54 kilometers per hour", "54", "length^1/time^1", 1, 1000 / 3600),
        (r"9.8\text{ m/s}^2", "9.8", "length^1/time^2", 1, 1),
        ("9.8 m/s^{2}", "9.8", "length^1/time^2", 1, 1),
        ("2 g/cm^3", "2", "mass^1/length^3", 1, 1e6),
        ("12 N", "12", "force", 1, 1),
        (r"\sqrt{2}\text{ J}", r"\sqrt{2}", "energy", 1, 1),
    ],
)
def test_a_unit_is_taken_off(body: str, value: str, kind: str, power: int, size: float) -> None:
    found, unit, variable = split_unit(body)
    assert unit is not None and (found, unit.kind, unit.power, variable) == (value, kind, power, False)
    assert float(unit.size) == pytest.approx(size)


@pytest.mark.parametrize(
    "body",
    [
        *(r"\pi r^2 h", r"\pi r^2h", r"\frac{1}{2}mg", r"\frac{v^2}{2g}", r"\sqrt{2g}", r"2\pi h", "6 h^2", "2(l+w) m"),
        *(r"\frac{1}{2}m/s", r"\frac{1}{2} V", "x/s", r"2\pi m/s", r"\frac{V}{2} m/s"),
        *("cm", "x cm", "m", "5 pm", r"2\cdot g", "5"),
    ],
)
def test_a_variable_is_no_unit(body: str) -> None:
    assert split_unit(body) == (body, None, False)


@pytest.mark.parametrize("body", ["4s", "2m", "3mg", "x=4s", "3V", "2m/s"])
def test_a_letter_behind_a_number_may_be_both(body: str) -> None:
    value, unit, variable = split_unit(body)
    assert unit is not None and variable and body.startswith(value)
