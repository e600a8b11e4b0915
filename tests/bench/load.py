"""Interleaved load with wrk: every target once per round, so that noise is shared; medians of per-round ratios."""

from __future__ import annotations

import json
import os
import re
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

UNITS = {"us": 0.001, "ms": 1.0, "s": 1000.0, "m": 60000.0}


@dataclass(frozen=True)
class Target:
    """One thing to load. `body` is sent as JSON with POST; `expect` is the only status that counts as good."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict)
    body: object = None
    rotate: tuple[str, Sequence[str]] | None = None  #: a header, and its values in turn


@dataclass(frozen=True)
class Round:
    """What one round of one target gave: requests per second, milliseconds, answers that were not 2xx or 3xx."""

    rate: float
    p50: float
    p99: float
    bad: int


def milliseconds(text: str) -> float:
    """`1.23ms` -> 1.23."""
    match = re.match(r"([\d.]+)(us|ms|s|m)$", text)
    return float(match[1]) * UNITS[match[2]] if match else float("nan")


def once(target: Target, seconds: float, connections: int) -> Round:
    """Load one target for some seconds."""
    wrk = shutil.which("wrk")
    if wrk is None:
        raise FileNotFoundError("wrk is not installed: apt-get install wrk")
    with tempfile.NamedTemporaryFile("w", suffix=".lua") as script:
        if target.body is not None:
            text = json.dumps(json.dumps(target.body))
            script.write(f'wrk.method = "POST"\nwrk.body = {text}\nwrk.headers["Content-Type"] = "application/json"\n')
        if target.rotate is not None:
            header, values = target.rotate
            listed = ",".join(json.dumps(value) for value in values)
            script.write(f'local values, turn = {{{listed}}}, 0\nrequest = function()\n  turn = turn + 1\n'
                         f'  wrk.headers["{header}"] = values[(turn % #values) + 1]\n  return wrk.format()\nend\n')  # fmt: skip
        script.flush()
        argv = [wrk, "-t", "1", "-c", str(connections), "-d", f"{seconds}s", "--latency", "--timeout", "10s", "-s", script.name]
        for key, value in target.headers.items():
            argv += ["-H", f"{key}: {value}"]
        out = subprocess.run([*argv, target.url], capture_output=True, text=True, timeout=seconds + 30, check=True).stdout

    def figure(pattern: str) -> str:
        found = re.search(pattern, out, re.M)
        return found[1] if found else "0"

    return Round(
        float(figure(r"Requests/sec:\s+([\d.]+)")),
        milliseconds(figure(r"^\s+50%\s+(\S+)")),
        milliseconds(figure(r"^\s+99%\s+(\S+)")),
        int(figure(r"Non-2xx or 3xx responses: (\d+)")),
    )  # fmt: skip


def interleaved(targets: Sequence[Target], rounds: int = 5, seconds: float = 2, connections: int = 8) -> dict[str, list[Round]]:
    """Rounds of every target in turn, after one second of warming each."""
    for target in targets:
        once(target, 1, connections)
    results: dict[str, list[Round]] = {target.name: [] for target in targets}
    for _ in range(rounds):
        for target in targets:
            results[target.name].append(once(target, seconds, connections))
    return results


def ratio(results: Mapping[str, Sequence[Round]], name: str, floor: str) -> float:
    """Median over the rounds of `name`'s rate by `floor`'s."""
    return statistics.median(a.rate / b.rate for a, b in zip(results[name], results[floor], strict=True))


def table(results: Mapping[str, Sequence[Round]]) -> str:
    """Medians, for people."""
    rows = [f"{'target':28} {'req/s':>9} {'p50 ms':>8} {'p99 ms':>8} {'bad':>4}   (load {os.getloadavg()[0]:.1f})"]
    for name, found in results.items():
        rows.append(
            f"{name:28} {statistics.median(r.rate for r in found):9.0f} {statistics.median(r.p50 for r in found):8.2f} "
            f"{statistics.median(r.p99 for r in found):8.2f} {sum(r.bad for r in found):4}"
        )
    return "\n".join(rows)


def resident_mb(pid: int) -> float:
    """Resident memory of a process."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    return 0.0
