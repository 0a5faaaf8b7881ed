"""RefCOCO: find the object that an expression describes, in images of COCO; UNC's division.

A row of the hub, an object with all its expressions:

    {"question_id": "101_0", "image": <image>, "question": "Please provide a caption …",
     "answer": ["the left mug", "mug by the sink"], "segmentation": [30.0, 40.0, …], "bbox": [30.0, 40.0, 65.5, 80.0],
     "iscrowd": 0, "file_name": "COCO_train2014_000000000101_0.jpg"}

The hub's val (8,811 objects) and test are UNC's together with Google's, or Google's: they are prepared as `lmms_val`
and `lmms_test` only. The other forms are in refcoco_rows.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from data_prep.benchmarks.refcoco_rows import Family, identify, load_refer, questions, refer_files
from data_prep.source import Hub, Options, Question, Source

FAMILY = Family(name="refcoco", splitter="unc", mixed={"val": "lmms_val"})
HUB_SPLITS = {"lmms_val": "val", "lmms_test": "test", "val": "val-of-the-paper (the hub's is lmms_val)"}
"""The last one leads nowhere on the hub, so that nothing is downloaded in vain, and stands in the message."""


def convert(raw: Mapping[str, Any], options: Options) -> Iterator[Question]:
    return questions(raw, options, FAMILY)


SOURCE = Source(
    name="refcoco",
    title="the box of the object that an expression describes (RefCOCO)",
    task="refcoco",
    splits=("val", "testA", "testB", "lmms_val", "lmms_test"),
    convert=convert,
    hub=(
        Hub(id="lmms-lab/RefCOCO", splits=HUB_SPLITS),
        Hub(id="lmms-lab-encoder/RefCOCO", splits=HUB_SPLITS),
    ),
    tsv=("RefCOCO",),
    files=refer_files(FAMILY),
    identify=identify,
    rows={"val": 10834, "testA": 5657, "testB": 5095},
    load=partial(load_refer, family=FAMILY),
)
