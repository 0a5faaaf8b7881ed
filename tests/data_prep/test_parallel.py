from __future__ import annotations

import errno
import multiprocessing
import os
from dataclasses import dataclass

import pytest

from data_prep.parallel import CHUNK, make_rows, map_in_order

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


def doubled(text: bytes) -> bytes:
    if text == b"full":
        raise OSError(errno.ENOSPC, "No space left on device")
    return text * 2


def test_items_larger_than_a_pipe_go_both_ways():
    items = [bytes([number]) * 1_000_000 for number in range(12)]
    assert list(map_in_order(doubled, iter(items), workers=2)) == [item * 2 for item in items]


def test_items_are_drawn_only_a_few_ahead():
    drawn: list[int] = []
    results = map_in_order(doubled, (drawn.append(n) or b"x" for n in range(1000)), workers=2)
    assert next(results) == b"xx" and len(drawn) < 10
    results.close()
    assert not multiprocessing.active_children()


def test_a_full_disk_in_a_worker_is_still_an_oserror():
    with pytest.raises(OSError, match="No space left"):
        list(map_in_order(doubled, [b"a", b"full"], workers=2))
