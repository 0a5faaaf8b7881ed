"""Documents: a field of a small typeset form, and the total of a receipt that does not print it.

Rows (info shortened):
    {"data_source": "offline/field_read", "ability": "document", "prompt": "<image>What is the city? ...",
     "ground_truth": "OSLO", "info": {"target": "OSLO", "worked": "NAME LENA ; CITY OSLO ; DAY MON ; the city is OSLO"}}
    {"data_source": "offline/receipt_total", "prompt": "<image>What is the total? ...", "ground_truth": "14",
     "info": {"target": "14", "worked": "prices 4 7 3 ; 4 + 7 = 11 ; 11 + 3 = 14"}}
"""

from __future__ import annotations

from PIL import Image, ImageDraw

from data_prep.offline.canvas import Example, Scene, blank, draw_text
from data_prep.offline.math_vqa import running_sum

FIELDS = {
    "NAME": ["LENA", "OMAR", "IVAN", "ROSA", "EMIL", "NORA", "ADAM", "YUKI", "KARL", "ZOE", "TOM", "ANN"],
    "CITY": ["OSLO", "ROME", "LIMA", "BONN", "CORK", "KYIV", "BAKU", "DOHA", "RIGA", "NICE", "BERN"],
    "ITEM": ["TEA", "JAM", "MAP", "LAMP", "BOOK", "RICE", "SOAP", "COAT", "KEY", "DESK"],
    "DAY": ["MON", "TUE", "WED", "THU", "FRI", "SAT", "SUN"],
}


def _page(scene: Scene, title: str) -> Image.Image:
    """A white page with a dark title bar in the first row of cells."""
    image = blank(scene)
    ImageDraw.Draw(image).rectangle((0, 0, scene.size, scene.pixels(24)), fill=(70, 80, 95))
    draw_text(scene, image, title, at=(64, 12), size=15, anchor="mm", color="white")
    return image


def _line(scene: Scene, image: Image.Image, row: int, left: str, right: str) -> None:
    """One line of print: left text in the first two cells of the row, right text in the last two, a rule below."""
    rng = scene.rng
    middle = 32 * row + 15 + rng.randint(-2, 2)
    scene.notes.update({(0, row): left.rstrip(":"), (2, row): right})
    draw_text(scene, image, left, at=(3 + rng.randint(0, 2), middle), size=15, font="DejaVuSans")
    draw_text(scene, image, right, at=(66 + rng.randint(0, 2), middle), size=17)
    ImageDraw.Draw(image).line(
        (0, scene.pixels(32 * row + 31), scene.size, scene.pixels(32 * row + 31)), fill=(190, 190, 190)
    )


def field_read(scene: Scene) -> Example:
    rng = scene.rng

    def draw() -> list[tuple[str, str]]:
        return [(label, rng.choice(FIELDS[label])) for label in rng.sample(list(FIELDS), 3)]

    lines = scene.facts(draw)
    image = _page(scene, "FORM")
    for row, (label, value) in enumerate(lines, start=1):
        _line(scene, image, row, f"{label}:", value)
    label, value = rng.choice(lines)
    worked = " ; ".join([f"{name} {text}" for name, text in lines] + [f"the {label.lower()} is {value}"])
    return Example(image, f"What is the {label.lower()}?", value, worked, value)


def receipt_total(scene: Scene) -> Example:
    rng = scene.rng

    def draw() -> list[tuple[str, int]]:
        items = rng.sample(FIELDS["ITEM"], rng.randint(2, 3))
        return [(item, rng.randint(1, 20)) for item in items]

    lines = scene.facts(draw)
    image = _page(scene, "RECEIPT")
    for row, (item, price) in enumerate(lines, start=1):
        _line(scene, image, row, item, str(price))
    prices = [price for _, price in lines]
    total = str(sum(prices))
    worked = f"prices {' '.join(map(str, prices))} ; {running_sum(prices)}"
    return Example(image, "What is the total?", total, worked, total)
