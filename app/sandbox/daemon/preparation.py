"""Images of services, prepared in the background once somebody needs them."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Protocol

from app.errors import NotFound, PlatformError
from app.sandbox.images.definition import ImageDefinition, load_images
from app.sandbox.images.progress import BuildFailed, ImageNotReady, Progress, Step

log = logging.getLogger(__name__)
BEGIN_AFTER_SECONDS = 5.0  #: the first page is served before the machine gets busy
RETRY_SECONDS = 60.0
COMPILED_KEPT = 64  #: sets of files, of some 300 KiB each
_NOT_BEGUN = Progress("", Step.WAITING)


class Images(Protocol):
    """What sandboxd needs of an image store; `app.sandbox.images.store.ImageStore` is one."""

    @property
    def names(self) -> Sequence[str]: ...

    def definition(self, name: str) -> ImageDefinition:
        """Raises `NotFound`."""

    def ready(self, name: str) -> object | None:
        """Not None when the image stands; costs a stat."""

    async def compiled(self, name: str, files: Mapping[str, bytes], place: str) -> Mapping[str, bytes]:
        """Files that are mounted at `place` of a service of this image, their bytecode beside them."""

    def progress(self, name: str) -> Progress | None:
        """Where a running preparation is."""

    def fault(self, name: str) -> BuildFailed | None:
        """Why the last preparation failed."""

    async def prepare(self, names: Sequence[str] = ()) -> None:
        """Build what is missing of these."""


@dataclass(frozen=True, slots=True)
class ImageState:
    """One image as a page shows it. `state`: missing, building, ready or failed."""

    name: str
    state: str
    step: str = ""
    fraction: float = 0.0
    eta_seconds: float = 0.0
    error: str = ""


class Preparation:
    """Prepares all images, one after the other, and says how far it is.

    Args:
        always: images that every sandbox needs besides its own; they come first.
    """

    def __init__(self, images: Images, always: Sequence[str] = ()) -> None:
        self._images = images
        self._always = tuple(always)
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._compiled: dict[bytes, Mapping[str, bytes]] = {}
        self._compiling = asyncio.Lock()

    @property
    def order(self) -> tuple[str, ...]:
        """Every image, in the order of preparation."""
        return (*self._always, *(name for name in self._images.names if name not in self._always))

    def definition(self, name: str) -> ImageDefinition:
        """The definition of an image; raises `NotFound`."""
        return self._images.definition(name)

    async def compiled(self, name: str, files: Mapping[str, bytes], place: str) -> Mapping[str, bytes]:
        """Files that are mounted at `place` of a guest of this image, their bytecode beside them; made once for all guests."""
        key = _digest(name, files, place)
        async with self._compiling:
            if key not in self._compiled:
                while len(self._compiled) >= COMPILED_KEPT:
                    del self._compiled[next(iter(self._compiled))]
                self._compiled[key] = await self._images.compiled(name, files, place)
            return self._compiled[key]

    def start(self) -> None:
        """Begin on the first `want`, or after five seconds."""
        self._task = asyncio.create_task(self._prepare_for_ever(), name="image preparation")

    def want(self) -> None:
        """Somebody asks for images: begin now, and try again what failed."""
        self._wanted.set()

    async def close(self) -> None:
        """Stop building; what was downloaded stays for the next start."""
        if self._task:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def states(self) -> list[ImageState]:
        """Every image, in the order of preparation; each one's time includes the wait for those before it."""
        states, before = [], 0.0
        for name in self.order:
            state = self._state(name)
            if state.state in ("missing", "building"):
                before += state.eta_seconds
                state = replace(state, eta_seconds=before)
            states.append(state)
        return states

    def require(self, names: Iterable[str]) -> None:
        """Go on only when these images, and those that are always needed, stand.

        Raises:
            ImageNotReady: says which, at which step, and when it will usually be there.
            NotFound: there is no such image.
        """
        wanted = {*names, *self._always}
        for name in wanted:
            self.definition(name)
        missing = [state for state in self.states() if state.name in wanted and state.state != "ready"]
        if not missing:
            return
        self.want()
        if failed := next((state for state in missing if state.state == "failed"), None):
            raise ImageNotReady(
                f"The image `{failed.name}` could not be prepared: {failed.error}", details={"image": failed.name}
            )
        last = missing[-1]
        raise ImageNotReady(
            f"The image `{last.name}` is being prepared ({last.step}); usually ready in {last.eta_seconds:.0f} s.",
            details={"image": last.name, "step": last.step, "eta_seconds": round(last.eta_seconds)},
        )

    def _state(self, name: str) -> ImageState:
        if self._images.ready(name) is not None:
            return ImageState(name, "ready", fraction=1.0)
        if fault := self._images.fault(name):
            return ImageState(name, "failed", error=" ".join(filter(None, (fault.message, fault.cure))))
        progress = self._images.progress(name)
        if progress is None:
            return ImageState(name, "missing", str(_NOT_BEGUN.step), 0.0, _NOT_BEGUN.seconds_left)
        return ImageState(name, "building", str(progress.step), progress.fraction, progress.seconds_left)

    async def _prepare_for_ever(self) -> None:
        wait: float | None = BEGIN_AFTER_SECONDS
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), wait)
            self._wanted.clear()
            wait = RETRY_SECONDS if await self._prepare() else None

    async def _prepare(self) -> bool:
        """Try every image once; whether one failed."""
        failed = False
        for name in self.order:
            try:
                await self._images.prepare([name])
            except PlatformError as error:
                failed = True
                log.warning("image %s: %s %s", name, error.message, error.cure or "")
        return failed


def _digest(name: str, files: Mapping[str, bytes], place: str) -> bytes:
    digest = sha256(f"{name}\0{place}".encode())
    for path, content in sorted(files.items()):
        digest.update(f"\0{path}\0{len(content)}\0".encode() + content)
    return digest.digest()


class NoTrees:
    """Definitions without any trees behind them, for an engine that runs nothing (`fake`)."""

    def __init__(self, definitions_dir: Path) -> None:
        self._definitions = load_images(definitions_dir)

    @property
    def names(self) -> Sequence[str]:
        return tuple(self._definitions)

    def definition(self, name: str) -> ImageDefinition:
        """Raises `NotFound`."""
        try:
            return self._definitions[name]
        except KeyError:
            raise NotFound(f"There is no image {name}.") from None

    def ready(self, name: str) -> object | None:
        """Always."""
        return self.definition(name)

    async def compiled(self, name: str, files: Mapping[str, bytes], place: str) -> Mapping[str, bytes]:
        """Nothing runs them."""
        return files

    def progress(self, name: str) -> Progress | None:
        """Nothing is built."""
        return None

    def fault(self, name: str) -> BuildFailed | None:
        """Nothing fails."""
        return None

    async def prepare(self, names: Sequence[str] = ()) -> None:
        """Nothing to do."""
