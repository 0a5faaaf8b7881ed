"""EmbSpatial-Bench: where one object stands to another, in scenes of MP3D, AI2-THOR and ScanNet.

A row of the hub and of the authors' embspatial_bench.json (there the image is base64 text):

    {"question_id": "mp3d_12", "question": "How are the lamp and the sofa positioned in relation to each other?",
     "relation": "above", "image": <image>, "answer": 2, "data_source": "mp3d", "scene_id": "a1b2",
     "answer_options": ["The lamp is under the sofa.", "The lamp is left of the sofa.", "The lamp is above the sofa."],
     "objects": [{"name": "lamp", "bbox": [40, 12, 30, 44]}]}

The answer is the place of the option. The harness's TSV has the text of a list in `options`, and a letter.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from data_prep import fields
from data_prep.benchmarks.columns import column, question_text
from data_prep.source import Hub, Options, Question, Source


def convert(raw: Mapping[str, Any], options: Options) -> Iterator[Question]:
    choices = _choices(raw)
    answer = fields.whole(raw["answer"])
    truth = fields.index_letter(answer, choices) if isinstance(answer, int) else fields.gold_letter(answer, choices)
    kept = {name: raw[name] for name in ("relation", "data_source") if raw.get(name)}
    yield Question(
        text=fields.with_options(question_text(raw, "question"), choices),
        kind="choice",
        ground_truth=truth,
        info={"choices": choices, **kept},
        images=fields.image_list(column(raw, "image", "image_path")),
    )


def _choices(raw: Mapping[str, Any]) -> dict[str, str]:
    if "answer_options" in raw or "options" in raw:
        return fields.letters(fields.as_list(column(raw, "answer_options", "options")))
    return fields.option_columns(raw)


SOURCE = Source(
    name="embspatial",
    title="spatial relations in scenes of homes (EmbSpatial-Bench)",
    task="embspatial",
    splits=("test",),
    convert=convert,
    hub=(Hub(id="FlagEval/EmbSpatial-Bench"),),
    tsv=("EmbSpatialBench",),
    files=("embspatial_bench.json",),
    identify=lambda raw: column(raw, "index", "question_id"),
    rows={"test": 3640},
)
