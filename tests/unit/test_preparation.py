"""Image preparation as sandboxd tells it: order, time, faults, and when it begins."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest

from app.errors import NotFound
from app.sandbox.daemon import preparation
from app.sandbox.daemon.preparation import NoTrees, Preparation
from app.sandbox.images.progress import BuildFailed, ImageNotReady, Progress, Step
from tests.product import TOP


class Store(NoTrees):
    """Builds by waiting for the test; `broken` fails."""

    def __init__(self, definitions_dir: Path) -> None:
        super().__init__(definitions_dir)
        self.standing: set[str] = set()
        self.broken: dict[str, BuildFailed] = {}
        self.gate = asyncio.Event()
        self.building = ""
        self.compilations = 0

    def ready(self, name: str) -> object | None:
        return super().ready(name) if name in self.standing else None

    def progress(self, name: str) -> Progress | None:
        return Progress(name, Step.DOWNLOAD, 5, 10) if name == self.building else None

    def fault(self, name: str) -> BuildFailed | None:
        return self.broken.get(name)

    async def compiled(self, name: str, files: Mapping[str, bytes], place: str) -> Mapping[str, bytes]:
        self.compilations += 1
        await asyncio.sleep(0)
        return {**files, "made": place.encode()}

    async def prepare(self, names: Sequence[str] = ()) -> None:
        for name in names:
            if name in self.broken:
                raise self.broken[name]
            self.building = name
            await self.gate.wait()
            self.standing.add(name)
            self.building = ""


async def reached(what: str, holds: Callable[[], bool]) -> None:
    for _ in range(200):
        if holds():
            return
        await asyncio.sleep(0.01)
    raise AssertionError(what)


def test_it_begins_when_somebody_asks_and_tells_what_comes_when() -> None:
    async def scene() -> None:
        store = Store(TOP / "sandboxes")
        images = Preparation(store, always=("agent", "prober"))
        images.start()
        await asyncio.sleep(0.05)  # time enough to begin, if it would
        assert not store.building, "the first page comes first"
        # When a launch needs an image
        with pytest.raises(ImageNotReady, match="python"):
            images.require(["python"])
        # Then the building begins, with what everybody needs
        await reached("building", lambda: store.building == "agent")
        states = {state.name: state for state in images.states()}
        assert [state.name for state in images.states()][:2] == ["agent", "prober"]
        assert (states["agent"].state, states["agent"].step) == ("building", "download")
        assert 0 < states["agent"].eta_seconds < states["prober"].eta_seconds < states["python"].eta_seconds
        store.gate.set()
        await reached("all ready", lambda: all(state.state == "ready" for state in images.states()))
        images.require(["python"])
        with pytest.raises(NotFound):
            images.require(["cobol"])
        await images.close()

    asyncio.run(scene())


def test_one_that_cannot_be_built_says_why_and_holds_up_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preparation, "BEGIN_AFTER_SECONDS", 0.0)

    async def scene() -> None:
        store = Store(TOP / "sandboxes")
        store.gate.set()
        store.broken["python"] = BuildFailed("No mirror answers.", cure="Look at the network.")
        images = Preparation(store)
        images.start()
        await reached("the others stand", lambda: store.standing == set(store.names) - {"python"})
        with pytest.raises(ImageNotReady, match=r"No mirror answers\. Look at the network\."):
            images.require(["python"])
        # When the network is back, the next one who asks starts it again
        del store.broken["python"]
        images.want()
        await reached("it stands too", lambda: "python" in store.standing)
        images.require(["python"])
        await images.close()

    asyncio.run(scene())


def test_code_of_guests_is_compiled_once_for_all_who_ask() -> None:
    async def scene() -> None:
        store = Store(TOP / "sandboxes")
        images = Preparation(store)
        code = {"run.py": b"pass", "a/b.py": b""}
        first, second = await asyncio.gather(*(images.compiled("prober", dict(code), "/member") for _ in range(2)))
        assert first == second == {**code, "made": b"/member"}
        assert store.compilations == 1
        for number in range(100):
            assert (await images.compiled("prober", {"run.py": b"%d" % number}, "/member"))["run.py"] == b"%d" % number
        await images.compiled("tap", code, "/member")
        assert store.compilations == 102, "other code, and another interpreter"

    asyncio.run(scene())
