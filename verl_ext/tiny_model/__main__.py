"""Command line: `python -m verl_ext.tiny_model --data DIR --out DIR`."""

from __future__ import annotations

import argparse
import ctypes
import os
import sys
from pathlib import Path

# Read when the libraries load. Waiting threads sleep: on a shared machine spinning costs most of the time.
os.environ.setdefault("OMP_WAIT_POLICY", "passive")
os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")


def parser() -> argparse.ArgumentParser:
    made = argparse.ArgumentParser(
        prog="python -m verl_ext.tiny_model",
        description="Build a tiny Qwen3-VL and warm-start it on a prepared data set.",
        epilog="Exit codes: 0 made or already there, 2 wrong usage or input, 130 interrupted (run again to go on).",
    )
    made.add_argument("--data", type=Path, required=True, metavar="DIR", help="folder with train.parquet and manifest")
    made.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the model")
    made.add_argument(
        "--seed", type=int, default=0, help="equal seeds, equal weights on like CPUs (default %(default)s)"
    )
    made.add_argument("--steps", type=int, default=None, metavar="N", help="supervised steps (default: the recipe's)")
    made.add_argument("--threads", type=int, default=2, metavar="N", help="CPU threads (default %(default)s)")
    return made


def keep_memory() -> None:
    """Let glibc reuse big buffers in place of returning them to the system after every operation."""
    try:
        libc = ctypes.CDLL("libc.so.6")
    except OSError:
        return
    libc.mallopt(-3, 1 << 25)  # M_MMAP_THRESHOLD
    libc.mallopt(-1, (1 << 31) - 1)  # M_TRIM_THRESHOLD


def main(argv: list[str] | None = None) -> int:
    arguments = parser().parse_args(argv)
    keep_memory()
    import torch

    from verl_ext.tiny_model.make import make_tiny_model

    torch.set_num_threads(arguments.threads)
    try:
        report, made = make_tiny_model(
            data=arguments.data, out=arguments.out, seed=arguments.seed, steps=arguments.steps
        )
    except (ValueError, FileNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted: run the same command to go on from the last saved step", file=sys.stderr)
        return 130
    print(f"{arguments.out}: {'made' if made else 'already there, nothing to do'}, {report['parameters']:,} parameters")
    for task, row in report["held_out"].items():
        print(f"  {task:<15} right {100 * row['accuracy']:5.1f} %  format {100 * row['format']:5.1f} %")
    return 0


if __name__ == "__main__":
    sys.exit(main())
