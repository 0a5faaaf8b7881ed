"""RefCOCOg: as RefCOCO, with longer expressions; UMD's division.

A row of the hub, an object with all its expressions:

    {"question_id": "303_0", "image": <image>, "question": "Please provide a caption …",
     "answer": ["a brown dog that lies in front of the oven"], "segmentation": [5.0, 60.0, …],
     "bbox": [5.0, 60.0, 90.0, 35.5], "iscrowd": 0, "file_name": "COCO_train2014_000000000303_0.jpg"}

The hub's val (7,573 objects) is UMD's together with Google's: it is prepared as `lmms_val` only. The other forms are in
refcoco_rows.py.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import partial
from typing import Any

from data_prep.benchmarks.refcoco_rows import Family, identify, load_refer, questions, refer_files
from data_prep.source import Hub, Options, Question, Source

FAMILY = Family(name="refcocog", splitter="umd", mixed={"val": "lmms_val"})
HUB_SPLITS = {"lmms_val": "val", "val": "val-of-the-paper (the hub's is lmms_val)"}
"""The last one leads nowhere on the hub, so that nothing is downloaded in vain, and stands in the message."""


def convert(raw: Mapping[str, Any], options: Options) -> Iterator[Question]:
    return questions(raw, options, FAMILY)


SOURCE = Source(
    name="refcocog",
    title="the same, with longer expressions (RefCOCOg)",
    task="refcocog",
    splits=("val", "test", "lmms_val"),
    convert=convert,
    hub=(
        Hub(id="lmms-lab/RefCOCOg", splits=HUB_SPLITS),
        Hub(id="lmms-lab-encoder/RefCOCOg", splits=HUB_SPLITS),
    ),
    tsv=("RefCOCO",),
    files=refer_files(FAMILY),
    identify=identify,
    rows={"val": 4896, "test": 9602},
    load=partial(load_refer, family=FAMILY),
)
