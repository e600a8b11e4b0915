"""Numbers for Prometheus, read when somebody asks. The app's /metrics fetches them over the control socket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from app.sandbox.daemon.loop_lag import LoopLag
from app.sandbox.daemon.sandboxes import Sandboxes


class SandboxdMetrics(Collector):
    """Collects from the living objects, so that nothing is counted twice or forgotten."""

    def __init__(self, sandboxes: Sandboxes, lag: LoopLag) -> None:
        self._sandboxes = sandboxes
        self._lag = lag
        self._registry = CollectorRegistry()
        self._registry.register(self)

    def text(self) -> str:
        """The Prometheus text format."""
        return generate_latest(self._registry).decode()

    def collect(self) -> Iterator[Metric]:
        states = Counter((record.purpose, record.state) for record in self._sandboxes.list())
        family = GaugeMetricFamily("soty_sandboxes", "Sandboxes by purpose and state", labels=("purpose", "state"))
        for (purpose, state), count in states.items():
            family.add_metric((purpose, state), count)
        yield family
        admission = self._sandboxes.admission
        waiting = GaugeMetricFamily("soty_sandboxes_waiting", "Length of the queue", labels=("purpose",))
        for purpose, count in admission.waiting().items():
            waiting.add_metric((purpose,), count)
        yield waiting
        yield GaugeMetricFamily("soty_sandbox_memory_free_mb", "Memory that no sandbox reserves", admission.free_mb)
        yield GaugeMetricFamily("soty_sandboxd_loop_lag_seconds", "Worst lag of the loop in the last minute", self._lag.recent)
        yield GaugeMetricFamily("soty_sandboxd_loop_lag_worst_seconds", "Worst lag since the start", self._lag.worst)
