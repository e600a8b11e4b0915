"""Bubblewrap pods: the engine where no Docker daemon answers.

`sandboxd` (asyncio) -> spawner (stdlib, single-threaded) -> outer bubblewrap = pod -> agent (PID 1) -> one nested
bubblewrap per service.
"""

from app.sandbox.engines.embedded.engine import EmbeddedEngine
from app.sandbox.engines.embedded.refusal import PROFILE_PATH, apparmor_profile
from app.sandbox.engines.embedded.spawning import Occupied, SpawnerHandle, start_spawner

__all__ = ["PROFILE_PATH", "EmbeddedEngine", "Occupied", "SpawnerHandle", "apparmor_profile", "start_spawner"]
