"""RefCOCO+: as RefCOCO, with expressions that name no place in the image; UNC's division.

A row of the hub, an object with all its expressions:

    {"question_id": "202_0", "image": <image>, "question": "Please provide a caption …",
     "answer": ["woman in the striped coat", "striped coat"], "segmentation": [12.0, 9.0, …],
     "bbox": [12.0, 9.0, 40.0, 88.25], "iscrowd": 0, "file_name": "COCO_train2014_000000000202_0.jpg"}

The other forms are in refcoco_rows.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from data_prep.benchmarks.refcoco_rows import Family, identify, load_refer, questions, refer_files
from data_prep.source import Hub, Options, Question, Source

FAMILY = Family(name="refcoco+", splitter="unc")


def convert(raw: Mapping[str, Any], options: Options) -> Iterator[Question]:
    return questions(raw, options, FAMILY)


SOURCE = Source(
    name="refcoco+",
    title="the same, without words for places in the image (RefCOCO+)",
    task="refcoco+",
    splits=("val", "testA", "testB"),
    convert=convert,
    hub=(Hub(id="lmms-lab/RefCOCOplus"), Hub(id="lmms-lab-encoder/RefCOCOplus")),
    tsv=("RefCOCO",),
    files=refer_files(FAMILY),
    identify=identify,
    rows={"val": 10758, "testA": 5726, "testB": 4889},
    load=partial(load_refer, family=FAMILY),
)
