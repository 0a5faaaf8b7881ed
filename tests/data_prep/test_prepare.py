from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from data_prep import prepare as module
from data_prep.offline import OfflineSource
from data_prep.prepare import prepare

COUNTS = {"train": 72, "val": 24}


def make(out: Path, *, source=None, counts=COUNTS, arguments=None, **options):
    source = source or OfflineSource()
    return prepare(
        source,
        out=out,
        counts=counts,
        arguments=vars(source) if arguments is None else arguments,
        progress=False,
        **{"workers": 1, **options},
    )


def content(out: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted(out.iterdir())}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory) -> Path:
    out = tmp_path_factory.mktemp("offline")
    make(out)
    return out


def test_the_manifest_tells_what_was_made(prepared):
    manifest = json.loads((prepared / "manifest.json").read_text())
    assert manifest["arguments"] == {"seed": 0, "image_size": 128, "thinking_tag": "thinking", **COUNTS}
    assert manifest["splits"]["train"]["rows"] == 72 and set(manifest["splits"]["train"]["tasks"].values()) == {6}
    assert set(manifest["splits"]["val"]["categories"].values()) == {4}
    assert manifest["splits"]["train"]["content_sha256"] != manifest["splits"]["val"]["content_sha256"]
    assert set(manifest["versions"]) == set(module.LIBRARIES) and "0-1000" in manifest["box_format"]


def test_two_workers_write_the_same_bytes(prepared, tmp_path):
    make(tmp_path, workers=2)
    assert content(tmp_path) == content(prepared)


def test_another_seed_gives_another_content(prepared, tmp_path):
    source = OfflineSource(seed=1)
    manifest, _ = make(tmp_path, source=source)
    first = json.loads((prepared / "manifest.json").read_text())
    assert manifest["splits"]["train"]["content_sha256"] != first["splits"]["train"]["content_sha256"]


def test_a_finished_folder_is_kept(prepared):
    before = content(prepared)
    times = [path.stat().st_mtime_ns for path in prepared.iterdir()]
    manifest, made = make(prepared)
    assert not made and manifest == json.loads(before["manifest.json"])
    assert times == [path.stat().st_mtime_ns for path in prepared.iterdir()]


SMALL = {"train": 3, "val": 2}


@pytest.mark.parametrize(
    "spoil",
    [
        lambda out: (out / "val.parquet").unlink(),
        lambda out: (out / "train.parquet").write_bytes(b"damaged"),
        lambda out: (out / "manifest.json").write_text(
            (out / "manifest.json").read_text().replace(module.code_sha256(), "0" * 64)
        ),
    ],
    ids=["missing file", "damaged file", "older code"],
)
def test_what_is_damaged_or_outdated_is_made_anew(tmp_path, spoil):
    make(tmp_path, counts=SMALL)
    before = content(tmp_path)
    spoil(tmp_path)
    _, made = make(tmp_path, counts=SMALL)
    assert made and content(tmp_path) == before


def test_force_makes_it_anew(tmp_path):
    make(tmp_path, counts=SMALL)
    assert make(tmp_path, counts=SMALL, force=True)[1]


def test_a_folder_made_otherwise_is_not_overwritten(tmp_path):
    make(tmp_path, counts=SMALL)
    before = content(tmp_path)
    with pytest.raises(ValueError, match=r"made with seed 0, not 5; train 3, not 4"):
        make(tmp_path, source=OfflineSource(seed=5), counts={"train": 4, "val": 2})
    assert content(tmp_path) == before
    assert make(tmp_path, source=OfflineSource(seed=5), counts=SMALL, force=True)[1]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("train.parquet", "mine", r"holds train.parquet but no manifest.json; --force"),
        ("manifest.json", "{", r"manifest.json cannot be read"),
        ("manifest.json", "[]", r"manifest.json cannot be read"),
        ("manifest.json", '{"arguments": {}}', r"manifest.json cannot be read"),
    ],
)
def test_files_of_unknown_origin_are_not_overwritten(tmp_path, name, text, message):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=message):
        make(tmp_path, counts=SMALL)
    assert (tmp_path / name).read_text() == text


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"counts": {"train": 3, "val": 0}}, "val is 0; it needs at least 1 row"),
        ({"counts": {"train": -3, "val": 1}}, "train is -3"),
        ({"workers": 0}, "workers is 0"),
    ],
)
def test_bad_arguments_write_nothing(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        make(tmp_path / "new", **{"counts": SMALL, **options})
    assert not (tmp_path / "new").exists()


def test_a_folder_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match=r"--out .*file/data cannot be written"):
        make(tmp_path / "file" / "data", counts=SMALL)
    monkeypatch.setattr(os, "access", lambda *_: False)
    with pytest.raises(ValueError, match="cannot be written: no permission"):
        make(tmp_path, counts=SMALL)


def test_two_runs_do_not_write_the_same_folder(tmp_path):
    handle = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(handle, fcntl.LOCK_EX)
    try:
        with pytest.raises(ValueError, match="another run is writing to"):
            make(tmp_path, counts=SMALL)
    finally:
        os.close(handle)
    assert make(tmp_path, counts=SMALL)[1]


@dataclass(frozen=True)
class FailingSource:
    """Offline rows until `at`, then an error."""

    at: int
    error: type[BaseException]

    def row(self, split: str, index: int) -> dict:
        if index == self.at:
            raise self.error(f"at {split} {index}")
        return OfflineSource().row(split, index)


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
def test_an_interrupted_run_leaves_the_old_data_as_it_was(tmp_path, error):
    make(tmp_path, counts=SMALL)
    before = content(tmp_path)
    failing = FailingSource(at=2, error=error)
    with pytest.raises(error):
        make(tmp_path, source=failing, counts={"train": 2, "val": 3}, arguments={"seed": 0}, force=True)
    assert content(tmp_path) == before
