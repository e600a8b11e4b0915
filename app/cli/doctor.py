"""`./soty doctor`: what this machine offers, and how to fix what is missing."""

from __future__ import annotations

import argparse
import dataclasses
import json
import os
import platform
import shutil
from pathlib import Path
from typing import Any

from app.cli.said import say
from app.errors import Unavailable
from app.sandbox.model import DoctorReport
from app.settings import Settings


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("doctor", help="what this machine offers, and how to fix what is missing")
    parser.add_argument("--json", action="store_true", help="the same for programs")
    parser.set_defaults(run=_run)


def _run(arguments: argparse.Namespace, settings: Settings) -> int:
    report, asked = _examine(settings)
    machine = _machine(settings)
    if arguments.json:
        print(json.dumps({"machine": machine, "asked": asked, "engine": dataclasses.asdict(report)}, default=dict, indent=2))
    else:
        _print(report, asked, machine)
    return 0 if report.usable else 1


def _examine(settings: Settings) -> tuple[DoctorReport, str]:
    from app.sandbox.client import SandboxdClient
    from app.wiring.engine import examine_engine

    with SandboxdClient(settings.sandboxd_dir / "control.sock") as sandboxd:
        try:
            return sandboxd.doctor(fresh=True), "the running sandboxd"
        except Unavailable:
            say("sandboxd is not running; probing the engine directly.")
    return examine_engine(settings), "a probe of its own"


def _machine(settings: Settings) -> dict[str, str]:
    home = next(folder for folder in (settings.home, *settings.home.parents) if folder.exists())
    meminfo = dict(line.split(":", 1) for line in Path("/proc/meminfo").read_text().splitlines())
    release = platform.freedesktop_os_release().get("PRETTY_NAME", "Linux")
    return {
        "system": f"{release}, kernel {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
        "cores": str(len(os.sched_getaffinity(0))),
        "free memory": f"{int(meminfo['MemAvailable'].split()[0]) // 1024} MiB",
        "free disk": f"{shutil.disk_usage(home).free // 2**20} MiB at {home}",
        "account": "root: each process gets an account of its own" if os.geteuid() == 0
        else "an ordinary user: the split of processes limits faults, not attackers",
    }  # fmt: skip


def _print(report: DoctorReport, asked: str, machine: dict[str, str]) -> None:
    for name, value in machine.items():
        print(f"  {name:<12} {value}")
    verdict = "runs sandboxes" if report.usable else "REFUSES to run sandboxes"
    print(f"\nEngine {report.engine}: {verdict} (asked {asked})")
    for finding in report.findings:
        print(f"  {'ok ' if finding.ok else 'NO '} {finding.name}: {finding.what}")
        if finding.cure and not finding.ok:
            print(f"      cure: {finding.cure}")
    print("\nLimits:   " + "  ".join(f"{name} {strength}" for name, strength in report.limits.items()))
    print("Versions: " + "  ".join(f"{name} {version}" for name, version in report.versions.items()))
