"""`sandboxes/<image>/image.yaml`: one definition of an image for every engine."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, PrivateAttr, StringConstraints, field_validator

from app.content.exercise_def import Label
from app.content.source import read_yaml
from app.content.text import Strict, Text
from app.errors import ContentInvalid, Problem
from app.sandbox.model import Limits, ReadyProbe

FILE_NAME = "image.yaml"
FILE_IS_WRONG = 3  #: exit code of an `init` command that blames the file, as psql with ON_ERROR_STOP says it
ImagePath = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9_.+-]+)+$", max_length=200)]
ImageGlob = Annotated[str, StringConstraints(pattern=r"^(/[A-Za-z0-9_.+*?\[\]-]+)+$", max_length=200)]
Neighbour = Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9_][A-Za-z0-9_.-]*$", max_length=80)]
DebianPackage = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9+.-]+$", max_length=80)]
Variable = Annotated[str, StringConstraints(pattern=r"^[A-Z_][A-Z0-9_]*$", max_length=80)]
Port = Annotated[int, Field(ge=1, le=65535)]


class FileDef(Strict):
    """A file beside `image.yaml` that goes into the image."""

    source: Neighbour
    executable: bool = False


class ReadyDef(Strict):
    """How to see that the service answers, and how long that usually takes on a quiet two-core machine."""

    kind: Literal["tcp", "http", "amqp", "postgres", "none"]
    port: int = Field(default=0, ge=0, le=65535)
    path: str = "/"
    usual_seconds: float = Field(default=1.0, gt=0, le=120)


class LimitsDef(Strict):
    """Ceilings of a service of this image unless the exercise says otherwise. MiB, cores, counts."""

    memory_mb: int = Field(default=128, ge=16, le=4096)
    cpus: float = Field(default=0.5, gt=0, le=4)
    pids: int = Field(default=64, ge=4, le=1024)
    nofile: int = Field(default=1024, ge=64, le=65536)
    tmp_mb: int = Field(default=32, ge=1, le=1024)
    data_mb: int = Field(default=32, ge=1, le=1024)


class ImageDefinition(Strict):
    """What an image holds and how a service of it runs.

    Attributes:
        packages: Debian packages; their dependencies come along, what they merely recommend does not.
        wheels: hashed requirements file beside this one, for the image's Python.
        files: path in the image -> file beside this one.
        links: path in the image -> target, for what maintainer scripts would have linked (`/usr/bin/awk`).
        directories: empty directories to create.
        remove: globs of what is not needed; each must match something.
        command: argv of the service.
        shell: argv of the terminal.
        user: name of uid 1000 inside.
        tmpfs: writable scratch of the service: path -> MiB.
        reset: argv run inside the service that brings it back to a clean state; empty: a restart does.
        init: argv run inside the service, once it is ready, that reads a learner's file (`init:` of an exercise) on its
            standard input. Exit code 3: the file is wrong, and standard error says why; any other but 0: a fault of ours.
    """

    id: Label
    title: Text
    packages: tuple[DebianPackage, ...] = Field(min_length=1)
    wheels: Neighbour | None = None
    files: Mapping[ImagePath, FileDef] = Field(default_factory=dict)
    links: Mapping[ImagePath, str] = Field(default_factory=dict)
    directories: tuple[ImagePath, ...] = ()
    remove: tuple[ImageGlob, ...] = ()
    command: tuple[str, ...] = Field(min_length=1)
    env: Mapping[Variable, str] = Field(default_factory=dict)
    shell: tuple[str, ...] = ("/bin/sh",)
    user: Label = "service"
    tmpfs: Mapping[ImagePath, Annotated[int, Field(ge=1, le=1024)]] = Field(default_factory=dict)
    ready: ReadyDef = ReadyDef(kind="none")
    reset: tuple[str, ...] = ()
    init: tuple[str, ...] = ()
    limits: LimitsDef = LimitsDef()
    ports: tuple[Port, ...] = ()

    _folder: Path = PrivateAttr(default=Path())

    @field_validator("directories", "remove", "files", "links", "tmpfs")
    @classmethod
    def _inside(cls, value: object) -> object:
        paths = [path for path in value if ".." in path.split("/")] if isinstance(value, (tuple, Mapping)) else []
        if paths:
            raise ValueError(f"`..` is not allowed in {paths[0]}")
        return value

    @property
    def folder(self) -> Path:
        """Where `image.yaml` lies."""
        return self._folder

    @property
    def default_limits(self) -> Limits:
        """The engine's form of `limits`."""
        return Limits(**self.limits.model_dump())

    @property
    def ready_probe(self) -> ReadyProbe:
        """The engine's form of `ready`."""
        return ReadyProbe(self.ready.kind, self.ready.port, self.ready.path)

    def inputs(self) -> tuple[Path, ...]:
        """Every file beside `image.yaml` that the build reads, in a fixed order."""
        names = {file.source for file in self.files.values()} | ({self.wheels} if self.wheels else set())
        return tuple(self._folder / name for name in sorted(names))

    def digest(self) -> str:
        """sha256 over the definition and every file it names; changes when any of them does."""
        total = sha256(self.model_dump_json().encode())
        for path in self.inputs():
            total.update(path.name.encode() + b"\0" + sha256(path.read_bytes()).digest())
        return total.hexdigest()


def load_image(folder: Path) -> ImageDefinition:
    """Read `folder/image.yaml`.

    Raises:
        ContentInvalid: with the path and line of every fault, files that are not there included.
    """
    source = read_yaml(folder / FILE_NAME, f"{folder.name}/{FILE_NAME}")
    definition = source.parse(ImageDefinition)
    definition._folder = folder
    problems: list[Problem] = []
    if definition.id != folder.name:
        problems.append(source.problem(("id",), f"`id` is {definition.id}, the folder is {folder.name}", "make them equal"))
    if definition.ready.kind != "none" and definition.ready.port not in definition.ports:
        problems.append(source.problem(("ready", "port"), f"port {definition.ready.port} is not among `ports`", "add it"))
    for path, file in definition.files.items():
        if not (folder / file.source).is_file():
            problems.append(source.problem(("files", path), f"there is no file {file.source} beside {FILE_NAME}", "add it"))
    if definition.wheels and not (folder / definition.wheels).is_file():
        problems.append(source.problem(("wheels",), f"there is no file {definition.wheels} beside {FILE_NAME}", "lock it"))
    if problems:
        raise ContentInvalid(problems)
    return definition


def load_images(definitions_dir: Path) -> dict[str, ImageDefinition]:
    """All images below `definitions_dir`, by name.

    Raises:
        ContentInvalid: with the faults of all of them at once.
    """
    images: dict[str, ImageDefinition] = {}
    problems: list[Problem] = []
    for file in sorted(definitions_dir.glob(f"*/{FILE_NAME}")):
        try:
            images[file.parent.name] = load_image(file.parent)
        except ContentInvalid as error:
            problems += error.problems
    if problems:
        raise ContentInvalid(problems)
    return images
