"""Rules for Mermaid sources: each tells its content in words, and none carries styles, scripts or HTML."""

from __future__ import annotations

import re

from app.content.blocks import Fence
from app.content.markdown.figures import accessible_name

KINDS = ("flowchart", "sequenceDiagram", "stateDiagram-v2", "classDiagram", "erDiagram", "timeline", "graph")
MAX_CHARACTERS = 6000
_FORBIDDEN = re.compile(
    r"%%\{|^\s*(?:click|style|classDef|linkStyle|href)\b|:::|javascript:|<(?!br\s*/?>)[a-z!/]", re.IGNORECASE | re.MULTILINE
)


def diagram_faults(fence: Fence) -> list[tuple[str, str]]:
    """What is wrong with a Mermaid block and how to cure it; empty for other blocks."""
    if fence.language != "mermaid":
        return []
    faults = []
    if not fence.text.lstrip().startswith(KINDS):
        faults.append(("a diagram of an unknown kind", f"use {', '.join(KINDS[:2])}"))
    title, description = accessible_name(fence)
    if not title:
        faults.append(("the diagram has no `accTitle:`", "name it in its second line"))
    if not description:
        faults.append(("the diagram has no `accDescr:`", "tell everything it shows in its third line"))
    if match := _FORBIDDEN.search(fence.text):
        faults.append((f"`{match[0].strip()}` is not allowed in a diagram", "no styles, links or HTML except <br/>"))
    if len(fence.text) > MAX_CHARACTERS:
        faults.append(("the diagram is too large", "split it"))
    return faults
