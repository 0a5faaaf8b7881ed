"""The folder that is written: held by one run at a time, its manifest, and the code that made it."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

MANIFEST = "manifest.json"


@contextmanager
def locked(out: Path) -> Iterator[None]:
    """Make the folder and hold it, so that two runs do not write the same files."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        if not os.access(out, os.W_OK | os.X_OK):
            raise PermissionError(13, "no permission to write", str(out))
        handle = os.open(out, os.O_RDONLY)
    except OSError as error:
        raise ValueError(f"--out {out} cannot be written: {error.strerror}; choose another folder") from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    except BlockingIOError:
        raise ValueError(f"another run is writing to {out}; wait for it or choose another --out") from None
    finally:
        os.close(handle)


def write_manifest(out: Path, manifest: Mapping[str, Any]) -> None:
    """Replace the manifest in one step."""
    write_whole(out / MANIFEST, json.dumps(manifest, indent=2, ensure_ascii=False) + "\n")


def write_whole(path: Path, text: str) -> None:
    """A text file that is there complete, or not at all."""
    partial = path.with_name(f"{path.name}.partial")
    partial.write_text(text, encoding="utf-8")
    partial.replace(path)


def differences(made_with: Mapping[str, Any], wanted: Mapping[str, Any]) -> str:
    """The arguments that differ, as "seed 0, not 5; ..."; "" if none do."""
    keys = sorted(set(made_with) | set(wanted))
    return "; ".join(
        f"{key} {made_with.get(key)!r}, not {wanted.get(key)!r}"
        for key in keys
        if made_with.get(key) != wanted.get(key)
    )


def code_sha256(without: str = "benchmarks") -> str:
    """Hash of this package's source but for one of its folders: data made by older code is made anew."""
    root = Path(__file__).parent
    digest = hashlib.sha256()
    for path in sorted(root.rglob("*.py")):
        if path.relative_to(root).parts[0] != without:
            digest.update(f"{path.relative_to(root)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()
