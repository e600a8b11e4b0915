"""Unusual things that a run of the checks leaves to be seen: floods, memory limits, forged frames, refusals of the broker.

They are told to instructors and change nothing for the learner; an honest mistake can cause each of them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from contextlib import suppress

from app.errors import PlatformError
from app.sandbox.daemon.record import Record
from app.sandbox.engine import Engine
from app.sandbox.model import ServiceStatus

MOST_LOG = 1 << 20  #: bytes of one service that are looked through: all that is kept of it
BROKER = "rabbitmq"  #: image whose refusals are counted
_FORGED = re.compile(rb'"type"\s*:\s*"(?:check_started|check_finished|finished)"')
_REFUSED = re.compile(rb"access_refused")
_CHUNK = 64 << 10


async def observed(engine: Engine, record: Record, by_prober: Mapping[str, int]) -> dict[str, int]:
    """Kind -> count; empty when nothing unusual was seen.

    `output-flood` counts bytes, `memory-limit` kills, `forged-results` lines that look like the prober's own frames,
    `broker-refusals` what the broker denied, and `by_prober` what its probes met.
    """
    found = Counter(by_prober)
    with suppress(PlatformError, TimeoutError):  # a sandbox that has ended has nothing more to tell
        status = await engine.status(record.id)
        for service in status.services:
            if record.is_given(service.name):
                if _image(record, service) == BROKER:
                    found["broker-refusals"] += await _matches(engine, record, service, _REFUSED)
                continue
            found["output-flood"] += service.log_dropped
            found["forged-results"] += await _matches(engine, record, service, _FORGED)
        limits = [event.split(":")[0] for event in status.events if "memory limit" in event]
        replicas = {service.full_name: service.name for service in status.services}
        found["memory-limit"] += sum(not record.is_given(replicas.get(name, name)) for name in limits)
    return {kind: count for kind, count in found.items() if count}


def _image(record: Record, service: ServiceStatus) -> str:
    spec = record.service(service.name)
    return spec.image if spec else ""


async def _matches(engine: Engine, record: Record, service: ServiceStatus, pattern: re.Pattern[bytes]) -> int:
    """How often the kept output has the pattern; a match that two pieces share is found as well."""
    count = offset = 0
    rest = b""
    while offset < min(service.log_bytes, MOST_LOG):
        piece = (await engine.logs(record.id, service.full_name, offset, _CHUNK)).data
        if not piece:
            break
        offset += len(piece)
        whole, _, rest = (rest + piece).rpartition(b"\n")
        count += len(pattern.findall(whole))
        rest = rest[-_CHUNK:]
    return count + len(pattern.findall(rest))
