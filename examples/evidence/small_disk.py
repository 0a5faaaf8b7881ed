"""A disk of a few megabytes that only the processes see which are started in it: no root is needed.

A user namespace of one's own may mount a tmpfs; it is gone when the holder ends.
"""

from __future__ import annotations

import contextlib
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class SmallDisk:
    folder: Path
    holder: int
    """Process that keeps the namespace."""

    @property
    def inside(self) -> list[str]:
        """What stands before a command that is to see the disk."""
        return [
            "nsenter",
            "--target",
            str(self.holder),
            "--user",
            "--mount",
            "--preserve-credentials",
            f"--wd={Path.cwd()}",
        ]

    @property
    def outside_view(self) -> Path:
        return Path(f"/proc/{self.holder}/root") / self.folder.relative_to("/")

    def resize(self, size: int) -> None:
        subprocess.run([*self.inside, "mount", "-o", f"remount,size={size}", str(self.folder)], check=True)


@contextlib.contextmanager
def small_disk(folder: Path, size: int) -> Iterator[SmallDisk]:
    """`size` bytes at `folder`; RuntimeError where the kernel allows no user namespaces."""
    folder.mkdir(parents=True, exist_ok=True)
    script = f'mount -t tmpfs -o size={size} tmpfs "$0" && echo ready && exec sleep infinity'
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", script, str(folder.resolve())]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as holder:
        try:
            assert holder.stdout and holder.stderr
            if holder.stdout.readline().strip() != "ready":
                why = holder.stderr.read().strip()
                raise RuntimeError(f"no small disk (user namespaces are needed, `unshare -Urm`): {why}")
            yield SmallDisk(folder.resolve(), holder.pid)
        finally:
            holder.kill()
