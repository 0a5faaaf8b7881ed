"""What tells rows, images and prompts apart, in 64 bits: of a million inputs two are alike with probability 3e-8."""

from __future__ import annotations

import hashlib
from array import array
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


def digest(data: bytes) -> int:
    return int.from_bytes(hashlib.blake2b(data, digest_size=8).digest(), "little")


def key_digest(data_source: str, index: int) -> int:
    """What tells rows apart, as `data_source/index` does in validation."""
    return digest(f"{data_source}/{index}".encode())


def content_digests(row: Mapping[str, Any]) -> list[int]:
    """One per image (its file's bytes) and video (its path); of a row without any, the prompt without case and white
    space. An image file that cannot be read is told by its path."""
    found = [digest(image["bytes"] or _file_bytes(image["path"])) for image in row["images"] or []]
    found += [digest(f"video {video}".encode()) for video in row["videos"] or []]
    if not found:
        words = " ".join(message["content"] for message in row["prompt"]).casefold().split()
        found.append(digest(" ".join(("prompt", *words)).encode()))
    return found


def _file_bytes(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return path.encode()


@dataclass
class Places:
    """Digests and the numbers of the rows that have them, 16 bytes an entry."""

    digests: array[int] = field(default_factory=lambda: array("Q"))
    rows: array[int] = field(default_factory=lambda: array("Q"))

    def add(self, digest: int, row: int) -> None:
        self.digests.append(digest)
        self.rows.append(row)


def repeats(places: Places) -> Iterator[tuple[int, int]]:
    """(row, first row with the same digest), by row."""
    import numpy as np

    rows = np.asarray(places.rows, np.int64)
    _, first, inverse = np.unique(np.asarray(places.digests, np.uint64), return_index=True, return_inverse=True)
    earlier = rows[first[inverse]]
    for at in np.nonzero(rows != earlier)[0]:
        yield int(rows[at]), int(earlier[at])


def shared(left: Places, right: Places) -> Iterator[tuple[int, int]]:
    """(row of `left`, first row of `right`) of every entry of `left` whose digest `right` has."""
    import numpy as np

    values, first = np.unique(np.asarray(right.digests, np.uint64), return_index=True)
    wanted = np.asarray(left.digests, np.uint64)
    for at in np.nonzero(np.isin(wanted, values))[0]:
        yield left.rows[int(at)], right.rows[int(first[np.searchsorted(values, wanted[at])])]
