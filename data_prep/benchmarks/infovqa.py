"""InfographicVQA: questions about infographics, some with counting or arithmetic.

A row of the hub (config InfographicVQA):

    {"questionId": "9001", "question": "How many sources are named?", "answers": ["3", "three"],
     "answer_type": ["non-extractive"], "image": <image>, "image_url": "https://…", "operation/reasoning": ["counting"],
     "ocr": "{…}", "data_split": "val"}

The RRC's infographicsVQA_val_v1.0_withQT.json has such rows under `data`, with the name of the image in
`image_local_name`. The harness's TSV has the text of the list in `answer`. The test split's answers are not public.
"""

from __future__ import annotations

from functools import partial

from data_prep.benchmarks.docvqa import convert, identify, rrc_rows
from data_prep.source import Hub, Source

__all__ = ["SOURCE", "convert"]

SOURCE = Source(
    name="infovqa",
    title="questions about infographics (InfographicVQA)",
    task="infovqa",
    splits=("validation", "test", "train"),
    convert=convert,
    hub=(
        Hub(id="lmms-lab/DocVQA", config="InfographicVQA"),
        Hub(id="lmms-lab-encoder/DocVQA", config="InfographicVQA"),
    ),
    tsv=("InfoVQA_VAL",),
    files=("infographicsVQA_*_v1.0*.json",),
    identify=identify,
    rows={"validation": 2801},
    load=partial(rrc_rows, prefix="infographicsVQA_"),
)
