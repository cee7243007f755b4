"""A small file system that a test may fill: an image of ext4 in a sparse file, mounted by its loop device.

What fills it is reserved and never written, so it takes nearly nothing of the machine's disk.
"""

import os
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

_BYTES = 2 * 1024**3


class SmallDisk:
    """A mounted file system."""

    def __init__(self, folder: Path) -> None:
        self.folder, self._filler = folder, folder / "filler"

    def fill(self, percent: float) -> None:
        """Reserve space until so much of the disk is used."""
        usage = psutil.disk_usage(str(self.folder))
        of_users = usage.used + usage.free  # without the blocks that ext4 keeps for root
        self._filler.touch()
        with self._filler.open("r+b") as file:
            os.posix_fallocate(file.fileno(), 0, int(of_users * percent / 100 - usage.used))

    def empty(self) -> None:
        """Make room again."""
        self._filler.unlink()


@contextmanager
def small_disk(folder: Path) -> Iterator[SmallDisk]:
    """Mount a disk of 2 GiB in this folder; skips the test where that is not allowed."""
    if os.geteuid() or not shutil.which("mkfs.ext4"):
        pytest.skip("mounting a disk needs root and mkfs.ext4")
    image, mounted = folder / "image", folder / "disk"
    mounted.mkdir(parents=True)
    with image.open("wb") as file:
        file.truncate(_BYTES)
    subprocess.run(["mkfs.ext4", "-q", str(image)], check=True)
    if subprocess.run(["mount", "-o", "loop", str(image), str(mounted)], check=False).returncode:
        pytest.skip("this machine mounts no disk, as most containers do not")
    try:
        yield SmallDisk(mounted)
    finally:
        subprocess.run(["umount", "--lazy", str(mounted)], check=True)
        image.unlink()
