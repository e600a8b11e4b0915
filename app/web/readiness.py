"""Whether this process can serve, and the figures of the whole platform for Prometheus."""

from __future__ import annotations

import shutil
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cache
from typing import Literal

from prometheus_client import REGISTRY, CollectorRegistry, generate_latest, multiprocess, values
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import func, select, text
from sqlalchemy.exc import ProgrammingError

from app.db import Database, now
from app.errors import Unavailable
from app.jobs.model import Job, JobState
from app.sandbox.model import SandboxState
from app.sandbox.row import SandboxRow
from app.settings import Settings

DISK_SHARE = 0.05  #: free share of the disk below which nothing more should be written
QUEUE_AGE = 120.0  #: seconds that the oldest waiting job may wait before the queue counts as stuck


@dataclass(frozen=True, slots=True)
class Readiness:
    """`ready`; `degraded`: pages are served, something behind them is not there; `unready`: send no requests."""

    status: Literal["ready", "degraded", "unready"]
    checks: dict[str, str]


def look(settings: Settings, database: Database) -> Readiness:
    """Ask each part, each with a short timeout."""
    needed = {"database": _schema(database), "disk": _disk(settings)}
    behind = {"sandboxd": _sandboxd(settings), "queue": _tried(lambda: _queue(database))}
    if any(value != "ok" for value in needed.values()):
        status: Literal["ready", "degraded", "unready"] = "unready"
    else:
        status = "ready" if all(value == "ok" for value in behind.values()) else "degraded"
    return Readiness(status, needed | behind)


def exposition(database: Database) -> bytes:
    """The text that Prometheus reads: this process's registry, or that of all web processes where they share a folder."""
    registry = CollectorRegistry()
    if _shared():
        multiprocess.MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    registry.register(_Platform(database))
    return (b"" if _shared() else generate_latest(REGISTRY)) + generate_latest(registry)


def _schema(database: Database) -> str:
    def check() -> str:
        with database.read() as session:
            have = session.execute(text("SELECT version_num FROM alembic_version")).scalar_one_or_none()
        return "ok" if have == _head() else f"schema {have}, expected {_head()}"

    return _tried(check)


def _tried(check: Callable[[], str]) -> str:
    try:
        return check()
    except Unavailable as error:
        return error.message
    except ProgrammingError:  # PostgreSQL's word for a missing table
        return "empty"


@cache
def _head() -> str | None:
    from app import migrate  # Alembic takes 11 MB: only of a process that is asked

    return migrate.head_revision()


def _disk(settings: Settings) -> str:
    usage = shutil.disk_usage(settings.home)
    return "ok" if usage.free / usage.total > DISK_SHARE else f"{usage.free // 2**20} MiB free"


def _sandboxd(settings: Settings) -> str:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe:
        probe.settimeout(0.3)
        try:
            probe.connect(str(settings.sandboxd_dir / "control.sock"))
        except OSError as error:
            return f"does not answer ({type(error).__name__})"
    return "ok"


def _queue(database: Database) -> str:
    age = _oldest(database)
    return "ok" if age < QUEUE_AGE else f"the oldest job waits for {age:.0f} s"


def _oldest(database: Database) -> float:
    query = select(func.min(Job.run_at)).where(Job.state == JobState.QUEUED, Job.run_at <= now())
    with database.read() as session:
        first = session.scalar(query)
    return (now() - first).total_seconds() if first else 0.0


def _shared() -> bool:
    return values.ValueClass is not values.MutexValue


class _Platform(Collector):
    """Gauges that come from the database at the moment of asking."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def collect(self) -> Iterator[GaugeMetricFamily]:
        jobs = GaugeMetricFamily("soty_jobs", "Jobs by kind and state", labels=("kind", "state"))
        living = GaugeMetricFamily("soty_sandboxes", "Sandboxes that are not gone", labels=("purpose", "state"))
        with self._database.read() as session:
            counted = select(Job.kind, Job.state, func.count()).where(Job.state != JobState.DONE).group_by(Job.kind, Job.state)
            for kind, job_state, count in session.execute(counted):
                jobs.add_metric((kind, job_state.value), count)
            rows = select(SandboxRow.purpose, SandboxRow.state, func.count()).where(SandboxRow.state != SandboxState.GONE)
            for purpose, state, count in session.execute(rows.group_by(SandboxRow.purpose, SandboxRow.state)):
                living.add_metric((purpose.value, state.value), count)
        yield jobs
        yield living
        age = _oldest(self._database)
        yield GaugeMetricFamily("soty_queue_age_seconds", "Wait of the oldest job that could run", value=age)
