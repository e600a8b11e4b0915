"""A root filesystem under construction: packages, wheels and files of ours go in, nothing dangerous does."""

from __future__ import annotations

import os
import shutil
import subprocess
import tarfile
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath

from app.sandbox.images.objects import Objects
from app.sandbox.images.progress import BuildFailed

MOUNT_POINTS = ("proc", "sys", "dev", "tmp", "run", "workspace", "data", "given", "member")
MOUNT_FILES = ("etc/hosts", "etc/resolv.conf", "etc/passwd", "etc/group", "etc/nsswitch.conf")
_MERGED = ("bin", "sbin", "lib", "lib64")  # links to usr/…, as on every Debian since 12
_NOT_NEEDED = ("man", "info", "locale", "lintian", "bug", "doc-base")
_PACKAGE_TIMEOUT = 120.0


class Tree:
    """A directory that becomes the `/` of a service.

    Files are 0644 or 0755, directories 0755, whatever a package says: no setuid bit, no device, no unreadable file.
    """

    def __init__(self, root: Path, objects: Objects) -> None:
        self.root = root
        self._objects = objects
        for name in _MERGED:
            (root / "usr" / name).mkdir(parents=True, exist_ok=True)
            (root / name).symlink_to(f"usr/{name}")

    def add_package(self, deb: Path) -> None:
        """Unpack a Debian package, without its documentation (copyright files stay) and without running its scripts."""
        with subprocess.Popen(["/usr/bin/dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE) as unpacker:
            try:
                with tarfile.open(fileobj=unpacker.stdout, mode="r|") as archive:
                    for member in archive:
                        self._add_member(archive, member)
                code = unpacker.wait(_PACKAGE_TIMEOUT)
            except BaseException:
                unpacker.kill()
                raise
        if code:
            raise BuildFailed(
                f"The package {deb.name} cannot be unpacked.", cure="Remove it from the cache and prepare the image again."
            )

    def _add_member(self, archive: tarfile.TarFile, member: tarfile.TarInfo) -> None:
        path = member.name
        if _is_documentation(path):
            return
        if member.isdir():
            self.add_directory(path)
        elif member.issym():
            self.add_link(path, member.linkname)
        elif member.islnk():
            target = self._free(path)
            os.link(self.path(member.linkname), target)
        elif member.isreg():
            content = archive.extractfile(member)
            assert content is not None
            self.add_file(path, content.read(), executable=bool(member.mode & 0o111))
        # Devices, pipes and sockets are left out on purpose.

    def add_directory(self, path: str) -> None:
        place = self.path(path)
        if not place.is_symlink():
            place.mkdir(parents=True, exist_ok=True)

    def add_link(self, path: str, target: str) -> None:
        """A symbolic link; replaces what is there, except a directory."""
        place = self.path(path)
        if place.is_dir() and not place.is_symlink():
            return
        self._free(path).symlink_to(target)

    def add_file(self, path: str, data: bytes, *, executable: bool = False) -> None:
        """A regular file; replaces what is there."""
        self._objects.place(data, executable, self._free(path))

    def share(self, pattern: str) -> None:
        """Let files that a tool wrote into the tree (glob `pattern`) take part in the sharing."""
        for place in self.root.glob(pattern):
            if place.is_file() and not place.is_symlink():
                self.add_file(
                    str(place.relative_to(self.root)), place.read_bytes(), executable=bool(place.stat().st_mode & 0o111)
                )

    def remove(self, pattern: str) -> int:
        """Remove everything that matches the glob `pattern`; return how many matches there were."""
        found = list(self.root.glob(pattern.lstrip("/")))
        for place in found:
            if place.is_dir() and not place.is_symlink():
                shutil.rmtree(place)
            else:
                place.unlink()
        return len(found)

    def finish(self) -> None:
        """Add the mount points that every engine relies on."""
        for name in MOUNT_POINTS:
            self.add_directory(name)
        for name in MOUNT_FILES:
            if not self.path(name).is_file():
                # Not shared: each is the target of a mount of its own.
                self._free(name).touch(mode=0o644)

    def path(self, path: str) -> Path:
        """Where `path` of the image lies; its parents are made.

        Raises:
            BuildFailed: it would lie outside the tree.
        """
        parts = [part for part in PurePosixPath(path).parts if part not in ("/", ".")]
        if ".." in parts:
            raise BuildFailed(f"An archive names a path outside the image: {path}")
        if parts and parts[0] in _MERGED and len(parts) > 1:
            parts.insert(0, "usr")
        if not parts:
            return self.root
        place = self.root.joinpath(*parts)
        if not place.parent.is_dir():
            place.parent.mkdir(parents=True)
        if os.path.realpath(place.parent) != os.path.realpath(self.root) + str(place.parent)[len(str(self.root)) :]:
            raise BuildFailed(f"An archive writes through a link: {path}")
        return place

    def _free(self, path: str) -> Path:
        place = self.path(path)
        place.unlink(missing_ok=True)
        return place


def _is_documentation(path: str) -> bool:
    parts = PurePosixPath(path).parts
    if parts[:2] != ("usr", "share") or len(parts) < 4:
        return False
    if parts[2] == "doc":
        return len(parts) > 4 and not fnmatch(parts[-1], "copyright*")
    return parts[2] in _NOT_NEEDED
