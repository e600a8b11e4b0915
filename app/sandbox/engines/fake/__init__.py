"""The fake engine: sandboxes without isolation, because nothing runs in them. For tests."""

from app.sandbox.engines.fake.engine import FakeEngine, Mood

__all__ = ["FakeEngine", "Mood"]
