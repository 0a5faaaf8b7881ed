"""What the pool's workers are asked to do in its tests."""

from __future__ import annotations

import os
import time


def double(value: int) -> int:
    return 2 * value


def hang(seconds: float) -> None:
    time.sleep(seconds)


def spin() -> int:
    return len(str(9 ** (9**9)))


def die() -> None:
    os._exit(3)


def fail() -> None:
    raise KeyError("lost")


def chatter() -> str:
    print("noise on standard output")
    os.write(1, b"more noise\n")
    return "said"


def grow() -> str:
    try:
        return str(len(bytearray(8 << 30)))
    except MemoryError:
        return "no memory"


def process_id() -> int:
    return os.getpid()
