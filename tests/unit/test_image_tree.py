"""Trees under construction: what goes in, what is shared, and what cannot escape."""

from __future__ import annotations

import io
import stat
import tarfile
from pathlib import Path

import pytest

from app.sandbox.images.objects import Objects
from app.sandbox.images.progress import BuildFailed
from app.sandbox.images.tree import MOUNT_FILES, MOUNT_POINTS, Tree


@pytest.fixture
def objects(tmp_path: Path) -> Objects:
    return Objects(tmp_path / "objects")


@pytest.fixture
def tree(tmp_path: Path, objects: Objects) -> Tree:
    return Tree(tmp_path / "tree", objects)


def unpack(tree: Tree, *members: tuple[tarfile.TarInfo, bytes]) -> None:
    """Feed members to the tree as a package's archive would."""
    heap = io.BytesIO()
    with tarfile.open(fileobj=heap, mode="w") as archive:
        for info, data in members:
            info.size = len(data)
            archive.addfile(info, io.BytesIO(data))
    heap.seek(0)
    with tarfile.open(fileobj=heap) as archive:
        for info in archive:
            tree._add_member(archive, info)


def member(name: str, kind: bytes = tarfile.REGTYPE, mode: int = 0o644, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.mode, info.linkname = kind, mode, link
    return info


def test_setuid_bits_devices_and_secrets_do_not_survive(tree: Tree) -> None:
    unpack(
        tree,
        (member("./usr/bin/su", mode=0o4755), b"su"),
        (member("./etc/shadow", mode=0o600), b"secret"),
        (member("./dev/sda", tarfile.BLKTYPE), b""),
    )
    assert stat.S_IMODE((tree.root / "usr/bin/su").stat().st_mode) == 0o755
    assert stat.S_IMODE((tree.root / "etc/shadow").stat().st_mode) == 0o644
    assert not (tree.root / "dev/sda").exists()


def test_old_paths_lead_into_usr(tree: Tree) -> None:
    unpack(tree, (member("./lib", tarfile.DIRTYPE, 0o755), b""), (member("./lib/libold.so"), b"so"))
    assert (tree.root / "lib").is_symlink()
    assert (tree.root / "usr/lib/libold.so").read_bytes() == b"so"


@pytest.mark.parametrize("path", ["../outside", "usr/../../outside"])
def test_no_path_leads_out(tree: Tree, path: str) -> None:
    with pytest.raises(BuildFailed, match="outside"):
        unpack(tree, (member(path), b"x"))


def test_nothing_is_written_through_a_link(tree: Tree, tmp_path: Path) -> None:
    # Given a package that makes a link to the host
    tree.add_link("etc/door", str(tmp_path))
    # When another one writes behind it, then the build fails and the host is as it was
    with pytest.raises(BuildFailed, match="through a link"):
        tree.add_file("etc/door/file", b"x")
    assert not (tmp_path / "file").exists()


def test_equal_files_of_two_images_are_one_file_and_go_with_the_last_image(tmp_path: Path, objects: Objects) -> None:
    first, second = Tree(tmp_path / "first", objects), Tree(tmp_path / "second", objects)
    for tree in (first, second):
        tree.add_file("usr/lib/a.py", b"same")
    assert (first.root / "usr/lib/a.py").samefile(second.root / "usr/lib/a.py")
    assert objects.sweep() == 0
    for tree in (first, second):
        tree.remove("/usr/lib/a.py")
    assert objects.sweep() == 1


def test_a_replaced_file_leaves_its_twin_in_the_other_image_alone(tmp_path: Path, objects: Objects) -> None:
    first, second = Tree(tmp_path / "first", objects), Tree(tmp_path / "second", objects)
    for tree in (first, second):
        tree.add_file("etc/motd", b"old")
    first.add_file("etc/motd", b"new")
    assert (second.root / "etc/motd").read_bytes() == b"old"


def test_an_object_cut_short_by_a_crash_is_written_anew(tmp_path: Path, objects: Objects) -> None:
    tree = Tree(tmp_path / "tree", objects)
    tree.add_file("etc/a", b"whole")
    # Given a heap whose file lost its end when the power went
    (tree.root / "etc/a").write_bytes(b"")
    tree.add_file("etc/b", b"whole")
    assert (tree.root / "etc/b").read_bytes() == b"whole"


def test_a_finished_tree_has_every_mount_point(tree: Tree) -> None:
    tree.finish()
    assert all((tree.root / name).is_dir() for name in MOUNT_POINTS)
    assert all((tree.root / name).is_file() for name in MOUNT_FILES)
