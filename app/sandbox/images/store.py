"""The store of prepared images: what an engine mounts. Asyncio; the building itself runs in another process."""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from app.errors import NotFound
from app.sandbox.images.bytecode import compile_files
from app.sandbox.images.definition import ImageDefinition, load_images
from app.sandbox.images.layout import LEASE, Layout
from app.sandbox.images.progress import BuildFailed, ImageNotReady, Progress, Step

_CHECKOUT = Path(__file__).resolve().parents[3]
_LINE_LIMIT = 1 << 20


@dataclass(frozen=True, slots=True)
class BuiltImage:
    """An image that is ready: `root` is a complete, read-only filesystem, world-readable, without devices or setuid files."""

    name: str
    digest: str
    root: Path
    definition: ImageDefinition


class ImageStore:
    """Prepared images below one directory; several processes may share it.

    A process that was given an image holds a lease on it until it ends, so that nobody removes it meanwhile.

    Args:
        root: `SOTY_HOME/images`.
        definitions_dir: the folder of `<image>/image.yaml`.
        mirror: a Debian mirror that takes the place of the host's own (`SOTY_APT_MIRROR`); empty: the host's.

    Raises:
        ContentInvalid: a definition has faults; all of them are listed.
    """

    def __init__(self, root: Path, definitions_dir: Path, mirror: str = "") -> None:
        self._layout = Layout(root.absolute())
        self._definitions_dir = definitions_dir.absolute()
        self._mirror = mirror
        self._leases: dict[Path, int] = {}
        self._progress: dict[str, Progress] = {}
        self._faults: dict[str, BuildFailed] = {}
        self.reload()

    def reload(self) -> None:
        """Read the definitions anew; images already handed out are not touched.

        Raises:
            ContentInvalid: a definition has faults; the old ones stay.
        """
        definitions = load_images(self._definitions_dir)
        self._digests = {name: self._layout.digest(image) for name, image in definitions.items()}
        self._definitions = definitions

    @property
    def names(self) -> tuple[str, ...]:
        """Every image that is defined, prepared or not."""
        return tuple(self._definitions)

    def definition(self, name: str) -> ImageDefinition:
        """The definition of an image.

        Raises:
            NotFound: there is no such image.
        """
        try:
            return self._definitions[name]
        except KeyError as error:
            raise NotFound(f"There is no image {name}.", details={"images": list(self.names)}) from error

    def digest(self, name: str) -> str:
        """64 hex digits that change with anything the tree is made from."""
        self.definition(name)
        return self._digests[name]

    def ready(self, name: str) -> BuiltImage | None:
        """The image if it is prepared; costs one `stat` after the first time."""
        definition = self.definition(name)
        home = self._layout.home(name, self._digests[name])
        # Once leased it is safe from sweeping, which may have been quicker than the lease: hence the second look.
        if not (home / LEASE).is_file() or not self._hold(home) or not (home / LEASE).is_file():
            return None
        return BuiltImage(name, self._digests[name], home / "root", definition)

    def require(self, name: str) -> BuiltImage:
        """The image, prepared.

        Raises:
            ImageNotReady: says which image, the step that runs and when it usually ends, or why it failed.
        """
        image = self.ready(name)
        if image is None:
            raise self._why_not(name)
        return image

    async def compiled(self, name: str, files: Mapping[str, bytes], place: str) -> Mapping[str, bytes]:
        """Files that are mounted at `place` of a service of this image, their bytecode beside them.

        Raises:
            ImageNotReady, BuildFailed: as they say.
        """
        return {**files, **await asyncio.to_thread(compile_files, self.require(name).root, files, place)}

    def progress(self, name: str) -> Progress | None:
        """How far the preparation is that runs in this process; None when none does."""
        return self._progress.get(name)

    def fault(self, name: str) -> BuildFailed | None:
        """Why the last preparation in this process failed; None when it did not."""
        return self._faults.get(name)

    async def prepare(self, names: Sequence[str] = (), progress: Callable[[Progress], None] = lambda _: None) -> None:
        """Make the named images (all, if none is named) ready, in this order; nothing happens for those that are.

        Cancelling ends the builder and all it started; what was downloaded stays for the next time. While another process
        prepares images in the same store, this one waits for it.

        Raises:
            BuildFailed: with the cure.
            NotFound: there is no such image.
        """
        wanted = [name for name in names or self.names if self.ready(name) is None]
        if not wanted:
            return
        for name in wanted:
            self._faults.pop(name, None)
            self._progress[name] = Progress(name, Step.WAITING)
        try:
            await self._build(wanted, progress)
        except BuildFailed as error:
            self._faults[str(error.details.get("image", wanted[0]))] = error
            raise
        finally:
            for name in wanted:
                self._progress.pop(name, None)

    async def _build(self, names: list[str], progress: Callable[[Progress], None]) -> None:
        # A session of its own, so that one signal reaches apt and pip too; `--owned`, so that they die with us.
        builder = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "app.sandbox.images", str(self._layout.root), str(self._definitions_dir), *names),
            *("--owned", "--mirror", self._mirror),
            cwd=_CHECKOUT,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            start_new_session=True,
            limit=_LINE_LIMIT,
        )
        assert builder.stdout is not None
        assert builder.stderr is not None
        complaints = asyncio.create_task(builder.stderr.read())
        fault: BuildFailed | None = None
        try:
            async for line in builder.stdout:
                message: dict[str, Any] = json.loads(line)
                if "error" in message:
                    fault = _fault(message)
                    continue
                now = Progress(message["image"], Step(message["step"]), message["done"], message["total"])
                self._progress[now.image] = now
                progress(now)
            code = await builder.wait()
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(builder.pid, signal.SIGKILL)
            await builder.wait()
            stderr = await complaints
        if fault or code:
            raise fault or BuildFailed("The image builder died.", details={"output": stderr.decode(errors="replace")[-4000:]})

    def _hold(self, home: Path) -> bool:
        if home not in self._leases:
            try:
                lease = os.open(home / LEASE, os.O_RDONLY | os.O_CLOEXEC)
            except FileNotFoundError:
                return False
            fcntl.flock(lease, fcntl.LOCK_SH)
            self._leases[home] = lease
            with contextlib.suppress(PermissionError):
                os.utime(lease)
        return True

    def _why_not(self, name: str) -> ImageNotReady:
        now, fault = self._progress.get(name), self._faults.get(name)
        if fault:
            return ImageNotReady(
                f"The image {name} could not be prepared: {fault.message}", cure=fault.cure, details=fault.details
            )
        if now is None:
            return ImageNotReady(f"The image {name} is not prepared.", cure="Its preparation starts after the server does.")
        seconds = max(1, round(now.seconds_left))
        return ImageNotReady(
            f"The image {name} is being prepared ({now.step}); this usually takes {seconds} s more.",
            details={"image": name, "step": now.step, "fraction": round(now.fraction, 3), "seconds_left": seconds},
        )


def _fault(message: dict[str, Any]) -> BuildFailed:
    return BuildFailed(
        message["error"],
        code=message["code"],
        cure=message["cure"] or None,
        details={"image": message["image"], **message["details"]},
    )
