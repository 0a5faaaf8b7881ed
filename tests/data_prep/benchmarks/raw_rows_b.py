"""Raw rows of our own making, in the schema of every form in which EmbSpatial-Bench to RefCOCOg are handed round."""

import base64
import csv
import json
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image, ImageDraw

SIZE = (160, 120)
TARGET = (40, 30, 79, 69)
"""Set pixels of the masks, corners included."""


def picture(seed: int = 0, size: tuple[int, int] = SIZE) -> bytes:
    image = Image.new("RGB", size, (seed * 53 % 256, seed * 91 % 256, 120))
    ImageDraw.Draw(image).ellipse((seed % 40, 10, seed % 40 + 50, 60), "white")
    return _png(image)


def mask(mode: str = "L", value: Any = 255, target: tuple[int, int, int, int] = TARGET) -> bytes:
    image = Image.new(mode, SIZE)
    ImageDraw.Draw(image).rectangle(target, value)
    return _png(image)


def _png(image: Image.Image) -> bytes:
    data = BytesIO()
    image.save(data, "PNG")
    return data.getvalue()


def hub(data: bytes, name: str = "0.png") -> dict[str, Any]:
    return {"bytes": data, "path": name}


def text64(data: bytes) -> str:
    return base64.b64encode(data).decode()


@dataclass(frozen=True)
class Form:
    """A few rows of one form of a data set as files, and what they must become."""

    benchmark: str
    form: str
    """hub, tsv (harness) or files (the authors')."""
    split: str
    rows: list[dict[str, Any]]
    truths: list[Any]
    """Per question; None where it is compared elsewhere."""
    file: str = ""
    """Where the rows lie in the folder; its suffix says how."""
    wrap: str = ""
    """Key of the rows in the object that a JSON file is."""
    beside: dict[str, Any] = field(default_factory=dict)
    """Other files: bytes, or what a JSON file holds."""

    @property
    def id(self) -> str:
        return f"{self.benchmark}-{self.form}-{self.split}"

    def write(self, folder: Path) -> Path:
        """The files that a user has; the folder for `--input`."""
        rows: Any = {"dataset_name": self.benchmark, self.wrap: self.rows} if self.wrap else self.rows
        files = {self.file or f"data/{self.split}-00000-of-00001.parquet": rows, **self.beside}
        for name, content in files.items():
            path = folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            if isinstance(content, bytes):
                path.write_bytes(content)
            elif path.suffix == ".parquet":
                pq.write_table(pa.Table.from_pylist(content), path)
            elif path.suffix == ".tsv":
                _write_tsv(path, content)
            else:
                path.write_text(json.dumps(content), encoding="utf-8")
        return folder


def _write_tsv(path: Path, rows: list[dict[str, Any]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), delimiter="\t")
        writer.writeheader()
        writer.writerows(rows)


# EmbSpatial-Bench

PLACES = ["The lamp is under the sofa.", "The lamp is left of the sofa.", "The lamp is above the sofa."]
EMB = {
    "data_source": "mp3d",
    "scene_id": "a1b2",
    "question_id": "mp3d_12",
    "question": "How are the lamp and the sofa positioned in relation to each other?",
    "relation": "above",
    "answer_options": PLACES,
    "answer": 2,
    "objects": [{"name": "lamp", "bbox": [40, 12, 30, 44]}],
}
NEAREST = {
    **EMB,
    "data_source": "scannet",
    "question_id": "scannet_3",
    "question": "Which of these is closest?",
    "relation": "close",
    "answer_options": ["chair", "table", "box", "door"],
    "answer": 0,
}
EMB_TSV = {
    "index": "1",
    "image": text64(picture(3)),
    "question": EMB["question"],
    "options": json.dumps(PLACES),
    "answer": "C",
    "relation": "above",
    "data_source": "mp3d",
}

# RefSpatial-Bench

SUFFIX = (
    "Your answer should be formatted as a list of tuples, i.e. [(x1, y1)], with the x and y of a point that satisfies "
    "the conditions above, between 0 and 1."
)
POINT = {
    "id": 0,
    "object": "the cup behind the left bowl",
    "prompt": "Please point out the cup behind the left bowl.",
    "suffix": SUFFIX,
    "step": 2,
}
SPOT = {**POINT, "id": 1, "object": "the free spot", "prompt": "Please point out the free spot right of the cup."}
REF_HUB = [
    {**POINT, "image": hub(picture(1)), "mask": hub(mask())},
    {**SPOT, "image": hub(picture(2)), "mask": hub(mask("RGBA", (1, 0, 0, 255)))},
]
REF_TSV = {
    "index": "Placement_1",
    "image": text64(picture(1)),
    "mask": text64(mask("1", 1)),
    "object": "the free spot",
    "prompt": "Please point out the free spot right of the cup.",
    "suffix": SUFFIX,
    "step": "2",
    "split": "Placement",
    "dataset": "RefSpatial-Placement",
    "question": "Please point out the free spot right of the cup. Output the point coordinates in JSON format.",
}

# RoboSpatial-Home

POLYGON = "[(0.1, 0.6), (0.4, 0.6), (0.4, 0.9), (0.1, 0.85)]"
BOWTIE = "[(0.434, 0.834), (0.671, 0.838), (0.428, 0.993), (0.691, 0.996)]"
CONTEXT = {
    "category": "context",
    "question": "In the image, there is a bowl. Pinpoint several points in the free space left of it. " + SUFFIX,
    "answer": POLYGON,
}
FITS = {"category": "compatibility", "question": "Can the chair fit left of the desk?", "answer": "Yes"}
STANDS = {"category": "configuration", "question": "Is the pot above the stove?", "answer": "no"}


def robo(row: dict[str, Any], seed: int = 0) -> dict[str, Any]:
    """A hub row; the mask is not there for every row."""
    depth = hub(_png(Image.new("I;16", SIZE)))
    return {**row, "img": hub(picture(seed)), "depth_image": depth, "mask": hub(mask()) if seed else None}


# DocVQA, InfographicVQA

MEMO = {
    "questionId": "7001",
    "question": "What is the date of the memo?",
    "question_types": ["handwritten", "form"],
    "docId": 12,
    "ucsf_document_id": "abcd0001",
    "ucsf_document_page_no": "3",
    "answers": ["May 4, 1981", "5/4/81"],
    "data_split": "val",
}
TOTAL = {**MEMO, "questionId": "7002", "question": "What is the total?", "answers": ["[12]"]}
INFO = {
    "questionId": "9001",
    "question": "How many sources are named?",
    "answers": ["3", "three"],
    "answer_type": ["non-extractive"],
    "image_url": "https://example.org/1.png",
    "operation/reasoning": ["counting"],
    "ocr": "{}",
    "data_split": "val",
}

# OCRBench

SIGN = {
    "dataset": "IIIT5K",
    "question": "what is written in the image?",
    "question_type": "Regular Text Recognition",
    "answer": ["EXIT"],
}
FORMULA = {
    "dataset": "HME100k",
    "question": "Please write out the expression of the formula in the image using LaTeX format.",
    "question_type": "Handwritten Mathematical Expression Recognition",
    "answer": [r"\frac { a } { B }"],
}
SIGN_OWN = {
    "dataset_name": "IIIT5K",
    "id": 0,
    "image_path": "IIIT5K/0.png",
    "question": "what is written in the image?",
    "answers": "EXIT",
    "type": "Regular Text Recognition",
}
FORMULA_OWN = {
    "dataset_name": "HME100k",
    "id": 1,
    "image_path": "HME100k/1.png",
    "question": FORMULA["question"],
    "answers": "[ x + Y ]",
    "type": FORMULA["question_type"],
}

# RefCOCO, RefCOCO+, RefCOCOg

MUG = {
    "question_id": "101_0",
    "image": hub(picture(5)),
    "question": "Please provide a short caption for the marked region.",
    "answer": ["the left mug", "mug by the sink"],
    "segmentation": [40.0, 30.0, 80.0, 30.0, 80.0, 75.5],
    "bbox": [40.0, 30.0, 40.0, 45.5],
    "iscrowd": 0,
    "file_name": "COCO_train2014_000000000101_0.jpg",
}
MUG_BOX = [250.0, 250.0, 500.0, 75.5 / 120 * 1000]


def grounding_tsv(*labels: str) -> list[dict[str, Any]]:
    """One row of RefCOCO.tsv per label, its box in 0..1."""
    return [
        {
            "index": place,
            "image": text64(picture(place)),
            "question": "Please provide the bounding box coordinate of the region this sentence describes: "
            f"<ref>mug {place}</ref>",
            "answer": "[0.25, 0.25, 0.5, 0.75]",
            "category": label,
        }
        for place, label in enumerate(labels)
    ]


ALL_SPLITS = ("RefCOCO val", "RefCOCO testA", "RefCOCO+ testA", "RefCOCO+ val", "RefCOCOg test", "RefCOCOg val")
REFS = [
    {
        "ref_id": place,
        "ann_id": 501,
        "category_id": 3,
        "file_name": "COCO_train2014_000000000101_501.jpg",
        "image_id": 101,
        "sent_ids": [1, 2],
        "sentences": [
            {"tokens": ["left", "mug"], "raw": "Left mug", "sent_id": 1, "sent": "left mug"},
            {"tokens": ["mug"], "raw": "mug", "sent_id": 2, "sent": "mug"},
        ],
        "split": split,
    }
    for place, split in enumerate(("val", "train", "test"))
]
INSTANCES = {
    "info": {"description": "ours"},
    "images": [{"id": 101, "file_name": "COCO_train2014_000000000101.png", "width": 160, "height": 120}],
    "annotations": [{"id": 501, "image_id": 101, "category_id": 3, "bbox": [40.0, 30.0, 40.0, 45.5], "iscrowd": 0}],
    "categories": [{"id": 3, "name": "mug", "supercategory": "kitchen"}],
}


def refer_files(folder: str) -> dict[str, Any]:
    return {f"{folder}/instances.json": INSTANCES, "COCO_train2014_000000000101.png": picture(6)}


def onethinker(name: str) -> dict[str, Any]:
    sentence = "Please provide the bounding box coordinate of the region this sentence describes: a mug."
    return {
        "problem_id": 7,
        "problem": f"<image> {sentence}",
        "data_type": "image",
        "problem_type": "spatial grounding",
        "options": [],
        "data_source": name,
        "answer": '<answer>{"boxes": [577, 232, 899, 786]}</answer>',
        "images": ["./Spatial-Grounding/train2014/7.png"],
        "problem_reserved_text": sentence,
        "task_type": "spatial_grounding",
    }


TSV_BOX = [250.0, 250.0, 500.0, 750.0]
OWN_BOX = [577.0, 232.0, 899.0, 786.0]
OWN_IMAGE = {"Spatial-Grounding/train2014/7.png": picture(7)}

FORMS = [
    Form("embspatial", "hub", "test", [{**EMB, "image": hub(picture(1))}, {**NEAREST, "image": hub(picture(2))}],
         ["C", "A"]),
    Form("embspatial", "files", "test", [{**EMB, "image": text64(picture(1))}], ["C"], "embspatial_bench.json"),
    Form("embspatial", "tsv", "test", [EMB_TSV], ["C"], "EmbSpatialBench.tsv"),
    Form("refspatial", "hub", "location", REF_HUB, [None, None]),
    Form("refspatial", "hub", "unseen", [{**REF_HUB[0], "scene": "indoor"}], [None]),
    Form("refspatial", "tsv", "placement", [{**REF_TSV, "index": "Location_0", "split": "Location"}, REF_TSV], [None],
         "RefSpatial.tsv"),
    Form("refspatial", "easi", "location",
         [{"index": "0", "image": text64(picture(1)), "question": POINT["prompt"], "category": "location",
           "mask_path": "['Location/mask/0.png']"}], [None], "RefSpatial.tsv", beside={"Location/mask/0.png": mask()}),
    Form(
        "refspatial", "files", "placement",
        [{**SPOT, "rgb_path": "image/1.png", "mask_path": "mask/1.png", "category": "location"}], [None],
        "Placement/question.json",
        beside={"Placement/image/1.png": picture(1), "Placement/mask/1.png": mask(), "Location/question.json": []},
    ),
    Form("robospatial", "hub", "context", [robo(CONTEXT), robo({**CONTEXT, "answer": BOWTIE}, 1)],
         [[[0.1, 0.6], [0.4, 0.6], [0.4, 0.9], [0.1, 0.85]], None]),
    Form("robospatial", "hub", "compatibility", [robo(FITS)], ["yes"]),
    Form("robospatial", "hub", "configuration", [robo(STANDS)], ["no"]),
    Form("robospatial", "tsv", "context",
         [{"index": "0", "image": text64(picture(1)), **CONTEXT}, {"index": "1", "image": text64(picture(2)), **FITS}],
         [[[0.1, 0.6], [0.4, 0.6], [0.4, 0.9], [0.1, 0.85]]], "RoboSpatialHome.tsv"),
    Form("robospatial", "files", "configuration",
         [{**row, "img": "images/0.png", "depth_image": "images/d.png", "mask": None} for row in (CONTEXT, STANDS)],
         ["no"], "annotations.json", beside={"images/0.png": picture(1)}),
    Form("docvqa", "hub", "validation", [{**MEMO, "image": hub(picture(1))}, {**TOTAL, "image": hub(picture(1))}],
         [["May 4, 1981", "5/4/81"], ["[12]"]], "DocVQA/validation-00000-of-00001.parquet"),
    Form("docvqa", "tsv", "validation",
         [{"index": 3, "image": text64(picture(1)), "question": "What date?", "answer": "['4 May', \"4 o'clock\"]"},
          {"index": 4, "image": "3", "question": "What total?", "answer": '["12.50"]'}],
         [["4 May", "4 o'clock"], ["12.50"]], "DocVQA_VAL.tsv"),
    Form("docvqa", "files", "validation", [{**MEMO, "image": "documents/1.png"}], [["May 4, 1981", "5/4/81"]],
         "val_v1.0_withQT.json", "data",
         beside={"documents/1.png": picture(1), "val_v1.0.json": {"data": [{**MEMO, "image": "documents/1.png"}]},
                 "test_v1.0.json": {"data": [{"questionId": 1, "question": "?", "image": "documents/1.png"}]}}),
    Form("infovqa", "hub", "validation", [{**INFO, "image": hub(picture(1))}], [["3", "three"]],
         "InfographicVQA/validation-00000-of-00001.parquet"),
    Form("infovqa", "tsv", "validation",
         [{"index": 9, "image": text64(picture(1)), "question": "How many?", "answer": '["3"]'}], [["3"]],
         "InfoVQA_VAL.tsv"),
    Form("infovqa", "files", "validation", [{**INFO, "image_local_name": "1.png"}], [["3", "three"]],
         "infographicsVQA_val_v1.0_withQT.json", "data",
         beside={"1.png": picture(1), "val_v1.0_withQT.json": {"data": [MEMO]}}),
    Form("ocrbench", "hub", "test", [{**SIGN, "image": hub(picture(1))}, {**FORMULA, "image": hub(picture(2))}],
         [["EXIT"], [r"\frac { a } { B }"]]),
    Form("ocrbench", "tsv", "test",
         [{"index": 0, "image": text64(picture(1)), "question": SIGN["question"], "answer": "['EXIT', 'Exit 7']",
           "category": "Regular Text Recognition"},
          {"index": 1, "image": text64(picture(2)), "question": FORMULA["question"], "answer": str(FORMULA["answer"]),
           "category": "Handwritten Mathematical Expression Recognition"}],
         [["EXIT", "Exit 7"], [r"\frac { a } { B }"]], "OCRBench.tsv"),
    Form("ocrbench", "files", "test", [SIGN_OWN, {**SIGN_OWN, "answers": ["1945", "45"]}, FORMULA_OWN],
         [["EXIT"], ["1945", "45"], ["[ x + Y ]"]], "OCRBench.json",
         beside={"IIIT5K/0.png": picture(1), "HME100k/1.png": picture(2)}),
    Form("refcoco", "hub", "testA", [MUG], [MUG_BOX] * 2),
    Form("refcoco", "hub", "lmms_val", [MUG], [MUG_BOX] * 2, "data/val-00000-of-00001.parquet"),
    Form("refcoco+", "hub", "val", [MUG], [MUG_BOX] * 2),
    Form("refcocog", "hub", "test", [MUG], [MUG_BOX] * 2),
    Form("refcoco", "tsv", "testA", grounding_tsv(*ALL_SPLITS), [TSV_BOX], "RefCOCO.tsv"),
    Form("refcoco+", "tsv", "val", grounding_tsv(*ALL_SPLITS), [TSV_BOX], "RefCOCO.tsv"),
    Form("refcocog", "tsv", "test", grounding_tsv(*ALL_SPLITS), [TSV_BOX], "RefCOCO.tsv"),
    Form("refcoco", "refer", "val", REFS, [MUG_BOX] * 2, "refcoco/refs(unc).json", beside=refer_files("refcoco")),
    Form("refcoco+", "refer", "val", REFS, [MUG_BOX] * 2, "refcoco+/refs(unc).json", beside=refer_files("refcoco+")),
    Form("refcocog", "refer", "test", REFS, [MUG_BOX] * 2, "refcocog/refs(umd).json", beside=refer_files("refcocog")),
    Form("refcoco", "onethinker", "val", [onethinker("RefCOCO"), onethinker("RefCOCOg")], [OWN_BOX], "refcoco_val.json",
         beside=OWN_IMAGE),
    Form("refcoco+", "onethinker", "testB", [onethinker("RefCOCO+")], [OWN_BOX], "refcoco+_testB.json",
         beside=OWN_IMAGE),
    Form("refcocog", "onethinker", "test", [onethinker("RefCOCOg_test")], [OWN_BOX], "refcocog_test.json",
         beside=OWN_IMAGE),
]  # fmt: skip
