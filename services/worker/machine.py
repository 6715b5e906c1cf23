"""What this machine, or the container's share of it, has: memory, cores, and whether a GPU is there to be seen."""

import math
import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Final

GPU_FILES: Final = ("nvidiactl", "kfd", "dri/renderD*")
"""What a driver shows below /dev: NVIDIA's, AMD's for computing, and any that draws."""


def memory_bytes_available(root: Path = Path("/")) -> int:
    """This machine's memory, or the container's where that is less.

    Source: proc(5) meminfo; cgroups(7), memory.max of version 2 and memory.limit_in_bytes of version 1.
    """
    lines = (root / "proc/meminfo").read_text(encoding="ascii").splitlines()
    total_bytes = next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemTotal:"))
    files = [folder / name for folder in _cgroups(root, "memory") for name in ("memory.max", "memory.limit_in_bytes")]
    limits = [_number(_text(file) or "") for file in files]
    return min([total_bytes, *(limit for limit in limits if limit is not None)])


def cores_available() -> int:
    """How many cores can be kept busy: those this process may run on, or the whole cores of a quota where that is less.

    One more busy thread than there are cores makes llama.cpp stall (docs/adr/0003), so parts of a core do not count.
    """
    cores_count = len(os.sched_getaffinity(0))
    quota = cores_quota()
    return cores_count if quota is None else max(1, min(cores_count, math.floor(quota)))


def cores_quota(root: Path = Path("/")) -> float | None:
    """How many cores' time the control groups allow; None where they say nothing.

    Source: cgroups(7), cpu.max of version 2, cpu.cfs_quota_us and cpu.cfs_period_us of version 1.
    """
    quotas: list[float] = []
    for folder in _cgroups(root, "cpu"):
        quota_us, _, period_us = (_text(folder / "cpu.max") or "").partition(" ")
        if not period_us:
            quota_us, period_us = _text(folder / "cpu.cfs_quota_us") or "", _text(folder / "cpu.cfs_period_us") or ""
        quota, period = _number(quota_us), _number(period_us)
        if quota is not None and period:
            quotas.append(quota / period)
    return min(quotas, default=None)


def gpu_visible(root: Path = Path("/")) -> bool:
    """Whether some driver's file says that there is a GPU, whatever llama.cpp can do with it."""
    return any(any((root / "dev").glob(pattern)) for pattern in GPU_FILES)


def _cgroups(root: Path, controller: str) -> Iterator[Path]:
    """The folders of this process's control group and of all above it; each may set a limit.

    A container may see its own group as the top of the tree and yet be told its path on the host: what does not exist
    is left out by those who read.
    """
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = line.split(":", 2)
        if controllers and controller not in controllers.split(","):
            continue
        top = root / "sys/fs/cgroup" / controllers
        group = PurePosixPath(path.lstrip("/"))
        for folder in (group, *group.parents):
            if ".." not in folder.parts:
                yield top / folder


def _number(text: str) -> int | None:
    """The number; None for anything that stands for no limit (`max`, -1) or is none."""
    return int(text) if text.strip().isdigit() else None


def _text(path: Path) -> str | None:
    try:
        return path.read_text(encoding="ascii")
    except OSError:
        return None
