"""Control groups against a directory tree shaped like the kernel's; version 2 has no other test on a version 1 machine."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from app.sandbox.engines.embedded.bare.agent.groups import ServiceGroup
from app.sandbox.engines.embedded.bare.spawner.cgroups import (
    Ceilings,
    VersionOne,
    VersionTwo,
    find_hierarchy,
    remove_leftovers,
)

CEILINGS = Ceilings(memory_mb=512, cpus=1.5, pids=300)
FILES_V2 = (
    "cgroup.procs",
    "cgroup.subtree_control",
    "cgroup.controllers",
    "memory.max",
    "memory.swap.max",
    "pids.max",
    "cpu.max",
)


class KernelLike:
    """Makes the files that the kernel makes in a new group, as soon as the directory is there."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, files: dict[str, str] | tuple[str, ...]) -> None:
        contents = files if isinstance(files, dict) else dict.fromkeys(files, "")
        plain_os, plain_path = os.mkdir, Path.mkdir

        def fill(path: str | Path) -> None:
            for name, content in contents.items():
                (Path(path) / name).write_text(content)

        def mkdir_os(path: str, *rest: int) -> None:
            plain_os(path, *rest)
            fill(path)

        def mkdir_path(self: Path, *rest: object, **options: object) -> None:
            new = not self.exists()
            plain_path(self, *rest, **options)
            if new:
                fill(self)

        monkeypatch.setattr(os, "mkdir", mkdir_os)
        monkeypatch.setattr(Path, "mkdir", mkdir_path)


def read(path: Path) -> str:
    return path.read_text()


def test_version_two_divides_what_was_delegated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given a delegated group with this process in it, on a machine with version 2 alone
    KernelLike(monkeypatch, FILES_V2)
    own = tmp_path / "user.slice" / "soty.service"
    own.mkdir(parents=True)
    for folder in (tmp_path, own):
        (folder / "cgroup.controllers").write_text("cpuset cpu io memory pids")
        (folder / "cgroup.subtree_control").write_text("")
    (own / "cgroup.procs").write_text("4711\n")
    proc = tmp_path / "proc"
    proc.mkdir()
    (proc / "cgroup").write_text("0::/user.slice/soty.service\n")
    # When a hierarchy is looked for and a pod's group is made
    hierarchy = find_hierarchy(root_powers=False, mounts=tmp_path, proc=proc)
    assert isinstance(hierarchy, VersionTwo)
    group = hierarchy.create("abc-pod", CEILINGS, os.getuid())
    # Then the processes that were there have moved to a leaf, and the group may be divided
    assert read(own / "soty-main" / "cgroup.procs") == "4711"
    assert read(own / "cgroup.subtree_control") == "+memory +pids +cpu"
    # And the pod has its ceilings, which it may divide further, and a leaf for its agent
    pod = own / "soty-abc-pod"
    assert (read(pod / "memory.max"), read(pod / "memory.swap.max")) == (str(512 << 20), "0")
    assert (read(pod / "pids.max"), read(pod / "cpu.max")) == ("300", "150000 100000")
    assert read(pod / "cgroup.subtree_control") == "+memory +pids +cpu"
    group.join()
    assert read(pod / "agent" / "cgroup.procs") == "0"
    assert group.shown == {"unified": str(pod)}


def test_version_two_needs_its_controllers(tmp_path: Path) -> None:
    (tmp_path / "unified").mkdir()
    (tmp_path / "unified" / "cgroup.controllers").write_text("hugetlb")
    assert find_hierarchy(root_powers=True, mounts=tmp_path) is None
    assert find_hierarchy(root_powers=False, mounts=tmp_path) is None


def test_version_one_makes_a_group_per_controller(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    # Given the three hierarchies that are needed, as real root sees them
    files = ("memory.limit_in_bytes", "pids.max", "cpu.cfs_period_us", "cpu.cfs_quota_us", "cgroup.procs")
    for controller in ("memory", "pids", "cpu"):
        (tmp_path / controller).mkdir()
        (tmp_path / controller / "cgroup.procs").write_text("")
    KernelLike(monkeypatch, files)
    hierarchy = find_hierarchy(root_powers=True, mounts=tmp_path)
    assert isinstance(hierarchy, VersionOne)
    hierarchy.create("abc-pod", CEILINGS, os.getuid())
    assert read(tmp_path / "memory" / "soty-abc-pod" / "memory.limit_in_bytes") == str(512 << 20)
    assert read(tmp_path / "pids" / "soty-abc-pod" / "pids.max") == "300"
    assert read(tmp_path / "cpu" / "soty-abc-pod" / "cpu.cfs_quota_us") == "150000"
    # And an ordinary user gets none
    assert find_hierarchy(root_powers=False, mounts=tmp_path) is None


def test_it_reaps_its_own_groups_and_old_empty_ones_only(tmp_path: Path) -> None:
    for controller in ("memory", "pids", "cpu"):
        (tmp_path / controller).mkdir()
    mine, young, old = (tmp_path / "memory" / f"soty-{name}" for name in ("mine-a", "other-young", "other-old"))
    for path in (mine, mine / "s-web", young, old, tmp_path / "memory" / "somebody-else"):
        path.mkdir()
    os.utime(old, (1, 1))
    assert remove_leftovers(VersionOne(tmp_path), "mine") == 2
    assert sorted(path.name for path in (tmp_path / "memory").iterdir()) == ["somebody-else", "soty-other-young"]


def test_a_stopped_service_of_a_living_pod_of_another_instance_keeps_its_group(tmp_path: Path) -> None:
    # Given an old pod of another instance: its agent lives, one of its services is stopped
    for controller in ("memory", "pids", "cpu"):
        (tmp_path / controller).mkdir()
    pod = tmp_path / "memory" / "soty-other-pod"
    for path in (pod, pod / "s-web"):
        path.mkdir()
    (pod / "cgroup.procs").write_text("4711\n")
    os.utime(pod, (1, 1))
    # When this instance tidies up, nothing of it is touched
    assert remove_leftovers(VersionOne(tmp_path), "mine") == 0
    assert (pod / "s-web").is_dir()


def test_a_service_whose_empty_group_was_tidied_away_gets_it_again_with_its_ceilings(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for controller in ("memory", "pids", "cpu"):
        (tmp_path / controller).mkdir()
    KernelLike(monkeypatch, ("memory.limit_in_bytes", "pids.max", "cpu.cfs_period_us", "cpu.cfs_quota_us", "cgroup.procs"))
    group = ServiceGroup("web", {"memory_mb": 64, "cpus": 0.25, "pids": 30}, tmp_path)
    shutil.rmtree(tmp_path / "pids" / "s-web")
    group.join()
    assert read(tmp_path / "pids" / "s-web" / "pids.max") == "32"
    assert read(tmp_path / "pids" / "s-web" / "cgroup.procs") == "0"


@pytest.mark.parametrize("version", [1, 2])
def test_a_service_has_ceilings_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, version: int) -> None:
    files_v1 = {
        "memory.limit_in_bytes": "", "memory.memsw.limit_in_bytes": "", "pids.max": "", "cpu.cfs_period_us": "",
        "cpu.cfs_quota_us": "", "memory.usage_in_bytes": "2097152", "memory.oom_control": "under_oom 0\noom_kill 3\n",
    }  # fmt: skip
    files_v2 = {"memory.max": "", "memory.swap.max": "", "pids.max": "", "cpu.max": "", "memory.current": "2097152",
                "memory.events": "oom 4\noom_kill 3\n"}  # fmt: skip
    for name in ("memory", "pids", "cpu") if version == 1 else ("unified",):
        (tmp_path / name).mkdir()
    KernelLike(monkeypatch, files_v1 if version == 1 else files_v2)
    group = ServiceGroup("web-2", {"memory_mb": 64, "cpus": 0.25, "pids": 30}, tmp_path)
    assert group.hard
    assert (group.kills(), group.memory_mb()) == (3, 2.0)
    pids = tmp_path / ("pids" if version == 1 else "unified") / "s-web-2" / "pids.max"
    assert read(pids) == "32"  # bubblewrap's two processes on top
    if version == 1:
        assert read(tmp_path / "memory" / "s-web-2" / "memory.limit_in_bytes") == str(64 << 20)
        assert read(tmp_path / "cpu" / "s-web-2" / "cpu.cfs_quota_us") == "25000"
    else:
        assert read(tmp_path / "unified" / "s-web-2" / "cpu.max") == "25000 100000"
        assert read(tmp_path / "unified" / "s-web-2" / "memory.max") == str(64 << 20)


def test_without_groups_nothing_is_promised(tmp_path: Path) -> None:
    group = ServiceGroup("web", {"memory_mb": 64, "cpus": 0.25, "pids": 30}, tmp_path)
    assert (group.hard, group.kills(), group.memory_mb()) == (False, 0, None)
    group.join()
    group.remove()
