"""Why no pod can run here, and the cure as far as it can be told from bubblewrap's last words."""

from __future__ import annotations

from app.sandbox.engine import EngineRefused


def refusal(stderr: str) -> EngineRefused:
    """The error to raise after a pod, or bubblewrap alone, ended with `stderr`."""
    return EngineRefused(f"No pod can be isolated here: {stderr[-300:] or 'bubblewrap ended without a word'}")
