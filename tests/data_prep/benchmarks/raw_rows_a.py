"""Raw rows of our own making, in the schema of every form in which MMMU to CharXiv are handed round."""

import base64
import csv
import json
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
from PIL import Image

HINT = "Hint: Please answer with the letter of an option, e.g., A.\nQuestion: "


def png(number: int) -> bytes:
    """A small picture, another one for every number."""
    data = BytesIO()
    pixels = bytes((number * 37 + at * 11) % 256 for at in range(64 * 64))
    Image.frombytes("L", (64, 64), pixels).convert("RGB").save(data, "PNG")
    return data.getvalue()


def hub_image(number: int) -> dict[str, Any]:
    return {"bytes": png(number), "path": f"{number}.png"}


def base64_image(number: int) -> str:
    return base64.b64encode(png(number)).decode()


@dataclass(frozen=True)
class Form:
    """A few rows of one form of a data set, and what they must become."""

    benchmark: str
    form: str
    """hub, tsv (harness), json, jsonl or files (the authors')."""
    rows: list[dict[str, Any]]
    truths: list[Any]
    """Ground truth per row."""
    split: str
    variant: str | None = None
    file: str = ""
    """Of a TSV or an authors' file: where it lies in the folder."""
    images: list[str] = field(default_factory=list)
    """Image files beside it."""

    @property
    def id(self) -> str:
        return f"{self.benchmark}-{self.form}" + (f"-{self.variant}" if self.variant else "")

    def write(self, folder: Path) -> Path:
        """The rows as the files that a user has; the folder for `--input`."""
        path = folder / (self.file or f"data/{self.split}-00000-of-00001.parquet")
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.suffix == ".parquet":
            pq.write_table(pa.Table.from_pylist(self.rows), path)
        elif path.suffix == ".tsv":
            with path.open("w", newline="") as file:
                writer = csv.DictWriter(file, list(self.rows[0]), delimiter="\t")
                writer.writeheader()
                writer.writerows(self.rows)
        elif path.suffix == ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in self.rows))
        else:
            keyed = self.benchmark in ("mathvista", "charxiv")
            rows = [{key: value for key, value in row.items() if key not in self._from_file()} for row in self.rows]
            path.write_text(json.dumps({str(at): row for at, row in enumerate(rows)} if keyed else rows))
        for at, name in enumerate(self.images):
            image = folder / name
            image.parent.mkdir(parents=True, exist_ok=True)
            Image.open(BytesIO(png(at))).save(image)
        return folder

    def _from_file(self) -> tuple[str, ...]:
        """Columns that the loader takes from names and places of files."""
        return {"chartqa": ("type", "image"), "charxiv": ("image",)}.get(self.benchmark, ())


def _mmmu(identity: str, question: str, options: str, answer: str, kind: str, images: int) -> dict[str, Any]:
    columns = {f"image_{at}": hub_image(at) if at <= images else None for at in range(1, 8)}
    return {
        "id": identity, "question": question, "options": options, "explanation": "", **columns, "img_type": "['Maps']",
        "answer": answer, "topic_difficulty": "Easy", "question_type": kind, "subfield": "Cities",
    }  # fmt: skip


MMMU_ROWS = [
    _mmmu("validation_Geography_7", "Which city lies at <image 1>?", "['Oslo', 'Rome, Italy']", "B",
          "multiple-choice", 1),
    _mmmu("validation_Basic_Medical_Science_2", "Which of these is a bone, given <image 1>?",
          "['<image 2>', '<image 3>', 'none of <image 1>']", "A", "multiple-choice", 3),
    _mmmu("validation_Math_3", "How long is the side in <image 1>?", "[]", "['24/7', '3.429']", "open", 1),
    _mmmu("validation_Music_4", "Which key is <image 1> in?", "[]", "C", "open", 1),
]  # fmt: skip


def _mmmu_tsv(row: dict[str, Any], index: int, split: str = "validation") -> dict[str, Any]:
    options = json.loads(row["options"].replace("'", '"'))
    images = [base64_image(at) for at in range(1, 8) if row[f"image_{at}"]]
    return {
        "index": str(index), "id": row["id"], "question": row["question"], "answer": row["answer"],
        **{letter: options[at] if at < len(options) else None for at, letter in enumerate("ABCDEFGHI")},
        "question_type": row["question_type"], "split": split, "category": "Science", "l2-category": "Geography",
        "image_path": str([f"{index}_1.jpg"]), "image": images[0] if len(images) == 1 else str(images),
    }  # fmt: skip


def _mmbench(index: Any, answer: str | None, options: list[Any], image: Any, hint: Any = None) -> dict[str, Any]:
    return {
        "index": index, "question": "Which one can fly?", "hint": hint, "answer": answer,
        **dict(zip("ABCD", options, strict=True)), "category": "attribute_recognition", "image": image,
        "source": "drawn", "L2-category": "finegrained_perception", "comment": None, "split": "dev",
    }  # fmt: skip


MMBENCH_ROWS = [
    _mmbench(7, "B", ["dog", "duck", "cow", None], hub_image(1), "Look at the legs."),
    _mmbench(1_000_007, "A", ["duck", "cow", "dog", None], hub_image(1), "Look at the legs."),
    _mmbench(8, "D", ["dog", "hen", "cow", "None"], hub_image(2)),
]
MMSTAR = {"category": "coarse perception", "l2_category": "image scene"}
MMSTAR_ROWS = [
    {"index": 0, "question": "What is on the left?\nOptions: A: a cup, red, B: a ball, C: a tree, D: a dog",
     "image": hub_image(1), "answer": "B", **MMSTAR,
     "meta_info": {"source": "drawn", "split": "val", "image_path": "images/0.jpg"}},
    {"index": 1, "question": "How many?\nChoices:\n(A) 2\n(B) 4\n(C) 6\n(D) 8", "image": hub_image(2), "answer": "D",
     **MMSTAR, "meta_info": {"source": "drawn", "split": "val", "image_path": "images/1.jpg"}},
]  # fmt: skip


def _mathvista(pid: int, question: str, answer: str, answer_type: str, **more: Any) -> dict[str, Any]:
    choices = more.get("choices")
    return {
        "pid": str(pid), "question": question, "image": f"images/{pid}.png", "choices": choices,
        "unit": more.get("unit"), "precision": more.get("precision"), "answer": answer,
        "question_type": "multi_choice" if choices else "free_form", "answer_type": answer_type,
        "metadata": {"category": "math-targeted-vqa", "task": "geometry problem solving", "skills": ["geometry"]},
        "query": "Hint: …\nQuestion: …",
    }  # fmt: skip


MATHVISTA_OWN = [
    _mathvista(1, "How long is the rod?", "1.5", "float", unit="m", precision=1.0),
    _mathvista(2, "How many balls are left?", "7", "integer"),
    _mathvista(3, "Which years?", "[2007, 2008]", "list"),
    _mathvista(4, "Which is true?", "It would increase.", "text", choices=["Nothing.", "It would increase."]),
    _mathvista(5, "How wide is it?", "1.50", "float", precision=2.0),
    _mathvista(6, "Same?", "yes", "text", choices=["no", "yes", "yes "]),
]
MATHVISTA_TSV = [
    {"index": 1, "image": base64_image(1), "question": "Hint: Please answer with one decimal place, e.g., 1.2.\n"
     "Question: How long is the rod? (Unit: m)", "answer": "1.5", "question_type": "free_form", "answer_type": "float",
     "choices": None, "answer_option": None, "task": "geometry problem solving", "skills": "['geometry']"},
    {"index": 4, "image": base64_image(4),
     "question": f"{HINT}Which is true?\nChoices:\n(A) Nothing.\n(B) It would increase.",
     "answer": "It would increase.", "question_type": "multi_choice", "answer_type": "text",
     "choices": "['Nothing.', 'It would increase.']", "answer_option": "B", "task": "", "skills": "[]"},
]  # fmt: skip


def mathverse(index: int, answer: str, version: str = "Text Lite", choice: bool = True, **more: Any) -> dict[str, Any]:
    asked = "How large is angle A? ()" + ("\nChoices:\nA:40°\nB:50°\nC:60°" if choice else "")
    return {
        "sample_index": str(index), "problem_index": "2", "problem_version": version,
        "question": "" if version == "Vision Only" else asked, "image": hub_image(index), "answer": answer,
        "question_type": "multi-choice" if choice else "free-form",
        "metadata": {"split": "testmini", "source": "drawn", "subject": "Plane Geometry", "subfield": "Angle"},
        "query_wo": f"Please answer …\nQuestion: {asked}", "query_cot": "…",
        "question_for_eval": asked, **more,
    }  # fmt: skip


MATHVERSE_ROWS = [
    mathverse(1, "B"), mathverse(2, "(C)", "Vision Only"), mathverse(3, "118掳", "Text Dominant", choice=False),
    mathverse(4, "2191.7 metres ", "Vision Intensive", choice=False),
]  # fmt: skip


def mathvision(identity: int, answer: str, options: list[str], **more: Any) -> dict[str, Any]:
    return {
        "id": str(identity), "question": "How many squares are there?\n<image1>", "options": options, "answer": answer,
        "solution": None, "level": 2, "subject": "counting", "image": f"images/{identity}.png", **more,
    }  # fmt: skip


MATHVISION_ROWS = [
    mathvision(4, "6", []), mathvision(5, "B", list("ABCDE")), mathvision(6, "C", ["1", "2", "4", "8", "16"]),
    mathvision(2830, "\x0crac{36}{13}", []), mathvision(2828, r"\boxed{12}", []), mathvision(2795, "$2\\sqrt{3}$", []),
    mathvision(60, "69{degrees}", []), mathvision(61, "11 ", []), mathvision(62, "1:2", []),
]  # fmt: skip
MATHVISION_TRUTHS = ["6", "B", "C", r"\frac{36}{13}", "12", r"2\sqrt{3}", "69", "11", "1:2"]


def charxiv(at: int, query: str, answer: str, category: int) -> dict[str, Any]:
    return {"figure_id": at, "query": query, "answer": answer, "inst_category": category, "qa_source": 1}


CHARXIV_OWN = [
    charxiv(0, "Which line ends highest?", "Model B", 1),
    charxiv(1, "Does it rise or fall? Answer 'rise' or 'fall'.", "rise", 2),
    charxiv(2, "Which tick follows 0.1?", "10^-2", 3),
    charxiv(3, "How large is the gap?", "0.25", 4),
]
CHARXIV_TRUTHS = ["Model B", "rise", "10^-2", "0.25"]


def _without(row: dict[str, Any], *names: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name not in names}


FORMS = [
    Form("mmmu", "hub", MMMU_ROWS, ["B", "A", ["24/7", "3.429"], ["C"]], "validation"),
    Form("mmmu", "tsv", [_mmmu_tsv(row, at) for at, row in enumerate(MMMU_ROWS)], ["B", "A", ["24/7", "3.429"], ["C"]],
         "validation", file="MMMU_DEV_VAL.tsv"),
    Form("mmbench", "hub", MMBENCH_ROWS, ["B", "A", "D"], "dev"),
    Form("mmbench", "hub_text_index", [{**row, "index": str(row["index"])} for row in MMBENCH_ROWS], ["B", "A", "D"],
         "dev"),
    Form("mmbench", "tsv", [{**row, "image": base64_image(at)} for at, row in enumerate(MMBENCH_ROWS)], ["B", "A", "D"],
         "dev", file="MMBench_DEV_EN.tsv"),
    Form("mmstar", "hub", MMSTAR_ROWS, ["B", "D"], "val"),
    Form("mmstar", "tsv", [{"index": "3", "question": "What is it?", "image": base64_image(3), "A": "cup", "B": "ball",
                            "C": "tree", "D": "dog", "answer": "C", **MMSTAR}], ["C"], "val", file="MMStar.tsv"),
    Form("mathvista", "hub", [{**row, "decoded_image": hub_image(at)} for at, row in enumerate(MATHVISTA_OWN)],
         ["1.5", "7", "[2007, 2008]", "It would increase.", "1.5", "yes"], "testmini"),
    Form("mathvista", "json", MATHVISTA_OWN, ["1.5", "7", "[2007, 2008]", "It would increase.", "1.5", "yes"],
         "testmini", file="data/testmini.json", images=[f"images/{at}.png" for at in range(1, 7)]),
    Form("mathvista", "tsv", MATHVISTA_TSV, ["1.5", "It would increase."], "testmini", file="MathVista_MINI.tsv"),
    Form("mathverse", "hub", MATHVERSE_ROWS, ["B", "C", "118°", "2191.7 metres"], "testmini"),
    Form("mathverse", "hub", [_without(mathverse(5, "A", "Text Only"), "image")], ["A"], "testmini", "text_only",
         file="testmini_text_only/testmini_text_only-00000-of-00001.parquet"),
    Form("mathverse", "json", [{**row, "image": f"images/{at}.png"} for at, row in enumerate(MATHVERSE_ROWS)],
         ["B", "C", "118°", "2191.7 metres"], "testmini", file="testmini.json",
         images=[f"images/{at}.png" for at in range(4)]),
    Form("mathverse", "tsv", [{**row, "index": str(at), "image": base64_image(at), "metadata": str(row["metadata"])}
                              for at, row in enumerate(MATHVERSE_ROWS)],
         ["B", "C", "118°", "2191.7 metres"], "testmini", file="MathVerse_MINI.tsv"),
    Form("mathvision", "hub", [{**row, "decoded_image": hub_image(at)} for at, row in enumerate(MATHVISION_ROWS)],
         MATHVISION_TRUTHS, "test"),
    Form("mathvision", "jsonl", MATHVISION_ROWS, MATHVISION_TRUTHS, "test", file="data/test.jsonl",
         images=[row["image"] for row in MATHVISION_ROWS]),
    Form("mathvision", "tsv", [{"index": row["id"], "question": row["question"], "choices": str(row["options"]),
                                "answer": row["answer"], "category": row["subject"], "image": base64_image(at)}
                               for at, row in enumerate(MATHVISION_ROWS)],
         MATHVISION_TRUTHS, "test", file="MathVision.tsv"),
    Form("ai2d", "hub", [{"question": "Which part drinks?", "options": ["leaf", "root", "stem"], "answer": "1",
                          "image": hub_image(1)}], ["B"], "test", "mask"),
    Form("ai2d", "hub", [{"question": "Which part drinks?", "options": ["leaf", "root", "stem", "flower"],
                          "answer": "3", "image": hub_image(1)}], ["D"], "test", "no_mask"),
    Form("ai2d", "tsv", [{"index": 0, "question": "Which part drinks?", "A": "leaf", "B": "root", "C": "stem", "D": "",
                          "answer": "B", "image": base64_image(1)}], ["B"], "test", file="AI2D_TEST.tsv"),
    Form("chartqa", "hub", [{"imgname": "1.png", "query": "In which year?", "label": "2010", "type": "human",
                             "image": png(1)},
                            {"imgname": "2.png", "query": "Which two?", "label": "[Yes, No]", "type": "augmented",
                             "image": png(2)}], ["2010", "[Yes, No]"], "test"),
    Form("chartqa", "hub_lmms", [{"type": "human_test", "question": "Share?", "answer": "14%", "image": hub_image(1)},
                                 {"type": "augmented_test", "question": "What?", "answer": "0", "image": hub_image(2)}],
         ["14%", "0"], "test"),
    Form("chartqa", "hub_m4", [{"image": hub_image(1), "query": "How many?", "label": ["14"], "human_or_machine": 0},
                               {"image": hub_image(2), "query": "Two?", "label": ["Yes", "No"], "human_or_machine": 1}],
         ["14", "[Yes, No]"], "test"),
    Form("chartqa", "files", [{"imgname": "0.png", "query": "How many?", "label": "1,234", "type": "test_human",
                               "image": "test/png/0.png"}], ["1,234"], "test", file="test/test_human.json",
         images=["test/png/0.png"]),
    Form("chartqa", "tsv", [{"index": 0, "image": base64_image(1), "question": "How many?", "answer": "14.5",
                             "split": "test_augmented"}], ["14.5"], "test", file="ChartQA_TEST.tsv"),
    Form("charxiv", "hub", [{"figure_path": f"images/{at}.jpg", "image": hub_image(at), "category": "cs", "year": "21",
                             "num_subplots": 1, "descriptive_q1": 3, "descriptive_a1": "x", "reasoning_q": row["query"],
                             "reasoning_a": row["answer"], "reasoning_a_type": row["inst_category"],
                             "reasoning_q_source": 3}
                            for at, row in enumerate(CHARXIV_OWN)],
         CHARXIV_TRUTHS, "val", file="data/validation-00000-of-00001.parquet"),
    Form("charxiv", "files", [{**row, "image": f"images/{at}.jpg"} for at, row in enumerate(CHARXIV_OWN)],
         CHARXIV_TRUTHS, "val", file="data/reasoning_val.json", images=[f"images/{at}.jpg" for at in range(4)]),
    Form("charxiv", "tsv", [{"index": at, "image": base64_image(at), "question": f"{row['query']}\n    * Your …\n",
                             "answer": row["answer"], "inst_category": row["inst_category"]}
                            for at, row in enumerate(CHARXIV_OWN)],
         CHARXIV_TRUTHS, "val", file="CharXiv_reasoning_val.tsv"),
]  # fmt: skip
