from __future__ import annotations

import multiprocessing
import os
from dataclasses import dataclass

import pytest

from data_prep.parallel import CHUNK, make_rows

COUNTS = {"train": 3 * CHUNK + 5, "val": 2}
EXPECTED = [(split, {"split": split, "index": index}) for split, count in COUNTS.items() for index in range(count)]


@dataclass(frozen=True)
class NumberSource:
    """Rows that only say which they are; at index `fail` an error, at index `die` the end of the process."""

    fail: int = -1
    die: int = -1

    def row(self, split: str, index: int) -> dict:
        if index == self.fail:
            raise ArithmeticError(f"at {split} {index}")
        if index == self.die:
            os._exit(7)
        return {"split": split, "index": index}


@pytest.mark.parametrize("workers", [1, 2])
def test_rows_come_in_order_split_by_split(workers):
    assert list(make_rows(NumberSource(), COUNTS, workers=workers)) == EXPECTED
    assert not multiprocessing.active_children()


def test_stopping_early_ends_the_workers():
    rows = make_rows(NumberSource(), {"train": 100 * CHUNK}, workers=2)
    assert next(rows)[1]["index"] == 0
    rows.close()
    assert not multiprocessing.active_children()


@pytest.mark.parametrize(
    ("source", "message"),
    [(NumberSource(fail=CHUNK + 1), f"ArithmeticError: at train {CHUNK + 1}"), (NumberSource(die=3), "exit code 7")],
)
def test_what_goes_wrong_in_a_worker_reaches_the_caller(source, message):
    with pytest.raises(RuntimeError, match=message):
        list(make_rows(source, COUNTS, workers=2))
    assert not multiprocessing.active_children()
