"""What control groups and the kernel say, read from sample trees."""

from pathlib import Path

import psutil
import pytest

from services.worker.machine import cores_available, cores_quota, gpu_visible, memory_bytes_available

GIB = 1 << 30
UNLIMITED = "9223372036854771712\n"  # what version 1 says instead


def tree(root: Path, **files: str) -> Path:
    """A file system that holds `files`; two underscores in a name stand for a slash, and one GiB of memory is there."""
    for name, text in {"proc__meminfo": f"MemTotal: {GIB // 1024} kB\nMemFree: 1 kB\n", **files}.items():
        path = root / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def written(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_without_control_groups_the_machine_is_ours(tmp_path: Path) -> None:
    root = tree(tmp_path)
    assert memory_bytes_available(root) == GIB
    assert cores_quota(root) is None


def test_a_container_under_version_2_has_what_its_own_group_allows(tmp_path: Path) -> None:
    root = tree(tmp_path, proc__self__cgroup="0::/\n")
    written(root, "sys/fs/cgroup/memory.max", f"{GIB // 2}\n")
    written(root, "sys/fs/cgroup/cpu.max", "150000 100000\n")
    assert memory_bytes_available(root) == GIB // 2
    assert cores_quota(root) == 1.5


def test_version_2_without_limits_says_max(tmp_path: Path) -> None:
    root = tree(tmp_path, proc__self__cgroup="0::/\n")
    written(root, "sys/fs/cgroup/memory.max", "max\n")
    written(root, "sys/fs/cgroup/cpu.max", "max 100000\n")
    assert memory_bytes_available(root) == GIB
    assert cores_quota(root) is None


def test_the_tightest_of_a_units_own_group_and_those_above_it_counts(tmp_path: Path) -> None:
    root = tree(tmp_path, proc__self__cgroup="0::/corral.slice/worker.service\n")
    written(root, "sys/fs/cgroup/corral.slice/cpu.max", "200000 100000\n")
    written(root, "sys/fs/cgroup/corral.slice/worker.service/cpu.max", "400000 100000\n")
    written(root, "sys/fs/cgroup/corral.slice/memory.max", f"{GIB // 4}\n")
    written(root, "sys/fs/cgroup/corral.slice/worker.service/memory.max", "max\n")
    assert cores_quota(root) == 2
    assert memory_bytes_available(root) == GIB // 4


def test_a_container_under_version_1_is_limited_by_controllers_with_folders_of_their_own(tmp_path: Path) -> None:
    root = tree(
        tmp_path, proc__self__cgroup="5:memory:/docker/abc\n4:cpu,cpuacct:/docker/abc\n1:name=systemd:/\n0::/\n"
    )
    # The container sees its own group as the top, whatever path it is told.
    written(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", f"{GIB // 2}\n")
    written(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_quota_us", "50000\n")
    written(root, "sys/fs/cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n")
    assert memory_bytes_available(root) == GIB // 2
    assert cores_quota(root) == 0.5


def test_version_1_without_limits_says_minus_one_and_a_huge_number(tmp_path: Path) -> None:
    root = tree(tmp_path, proc__self__cgroup="5:memory:/\n4:cpu:/\n")
    written(root, "sys/fs/cgroup/memory/memory.limit_in_bytes", UNLIMITED)
    written(root, "sys/fs/cgroup/cpu/cpu.cfs_quota_us", "-1\n")
    written(root, "sys/fs/cgroup/cpu/cpu.cfs_period_us", "100000\n")
    assert memory_bytes_available(root) == GIB
    assert cores_quota(root) is None


def test_a_group_outside_the_tree_is_passed_over(tmp_path: Path) -> None:
    root = tree(tmp_path, proc__self__cgroup="0::/../../other\n")
    written(root, "sys/other/cpu.max", "100000 100000\n")
    written(root, "sys/fs/cgroup/cpu.max", "300000 100000\n")
    assert cores_quota(root) == 3


def test_this_machine_has_memory_and_at_least_one_core() -> None:
    assert 0 < memory_bytes_available() <= psutil.virtual_memory().total
    assert 1 <= cores_available() <= len(psutil.Process().cpu_affinity() or [])


@pytest.mark.parametrize("name", ["nvidiactl", "kfd", "dri/renderD128"])
def test_a_drivers_file_shows_that_there_is_a_gpu(tmp_path: Path, name: str) -> None:
    written(tmp_path, "dev/dri/card0", "")  # a screen, such as that of a server's management
    assert not gpu_visible(tmp_path)
    written(tmp_path, f"dev/{name}", "")
    assert gpu_visible(tmp_path)
