"""Which blocks of a lesson are really executed or parsed in the tests. The page's mark and the tests ask the same function."""

from __future__ import annotations

from pathlib import Path

from app.content.blocks import Fence, split

MAX_LINES = 25
_CHECKED = frozenset({"python", "json", "yaml", "proto"})


def is_run(fence: Fence) -> bool:
    """Whether the tests execute this block: every Python block but excerpts."""
    return fence.language == "python" and not {"fragment", "no-run"} & fence.attributes.keys()


def is_parsed(fence: Fence) -> bool:
    """Whether the tests parse or compile this block: JSON, YAML and `.proto`."""
    return fence.language in _CHECKED - {"python"} and not {"fragment", "no-run"} & fence.attributes.keys()


def lesson_fences(path: Path) -> list[Fence]:
    """All code blocks of a lesson's file in reading order, diagrams left out."""
    found = split(path.read_text("utf-8-sig"), str(path))
    return [fence for fence in found.fences if fence.language != "mermaid"]
