"""Turns a definition into a tree on disk. Synchronous; runs in a process of its own (`__main__`), one at a time per store."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from app.sandbox.images import wheels
from app.sandbox.images.apt import Apt, Package
from app.sandbox.images.bytecode import compile_python
from app.sandbox.images.definition import ImageDefinition
from app.sandbox.images.layout import LEASE, Layout
from app.sandbox.images.objects import Objects
from app.sandbox.images.progress import BuildFailed, Progress, Step
from app.sandbox.images.tree import Tree

Report = Callable[[Progress], None]


class Builder:
    """Builds images below one store.

    Every image is made in `building/`, which nobody reads, and appears under its final name in one rename. A build that
    died leaves caches, which the next one uses, and a folder in `building/`, which it removes.
    """

    def __init__(self, layout: Layout, mirror: str, report: Report) -> None:
        self._layout = layout
        self._apt = Apt(layout.root / "cache/apt", mirror)
        self._objects = Objects(layout.root / "objects")
        self._report = report

    def build(self, image: ImageDefinition) -> None:
        """Make the image unless it is there; the caller holds the lock.

        Raises:
            BuildFailed: with the cure; nothing half-made is left where images are looked for.
        """
        home = self._layout.image(image)
        if home.is_dir():
            return
        work = self._layout.root / "building" / home.name
        shutil.rmtree(work, ignore_errors=True)
        (work / "root").mkdir(parents=True)
        packages = self._fill(Tree(work / "root", self._objects), image)
        (work / "packages.json").write_text(json.dumps([package.file for package in packages], indent=1))
        (work / LEASE).touch()
        os.sync()
        work.rename(home)

    def _fill(self, tree: Tree, image: ImageDefinition) -> list[Package]:
        def step(name: Step) -> Callable[[int, int], None]:
            self._report(Progress(image.id, name))
            return lambda done, total: self._report(Progress(image.id, name, done, total))

        step(Step.LISTS)
        self._apt.refresh()
        packages = self._apt.resolve(image.packages)
        self._apt.download(image.packages, packages, step(Step.DOWNLOAD))
        report = step(Step.UNPACK)
        for number, package in enumerate(packages):
            report(number, len(packages))
            tree.add_package(self._apt.file(package))
        if image.wheels:
            report = step(Step.WHEELS)
            for wheel in wheels.download(image.folder / image.wheels, self._layout.root / "cache/wheels", report):
                wheels.unpack(wheel, tree)
        step(Step.FINISH)
        self._add_own(tree, image)
        step(Step.COMPILE)
        compile_python(tree)
        return packages

    def _add_own(self, tree: Tree, image: ImageDefinition) -> None:
        for pattern in image.remove:
            if not tree.remove(pattern):
                raise BuildFailed(
                    f"The image {image.id} has nothing that matches {pattern}.", cure="Correct `remove` in its image.yaml."
                )
        for path in (*image.directories, *image.tmpfs):
            tree.add_directory(path)
        for path, file in image.files.items():
            tree.add_file(path, (image.folder / file.source).read_bytes(), executable=file.executable)
        for path, target in image.links.items():
            tree.add_link(path, target)
        tree.finish()


@contextmanager
def builders_lock(layout: Layout, waiting: Callable[[], None]) -> Iterator[None]:
    """One builder per store; `waiting` is called once if another one is at work. The lock dies with its process."""
    layout.root.mkdir(parents=True, exist_ok=True)
    with (layout.root / "lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            waiting()
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield
