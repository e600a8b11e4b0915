"""Examines this machine by really running a probe pod, with everything that a sandbox has, and looking around in it."""

from __future__ import annotations

import json
import platform
import secrets
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from app.errors import PlatformError
from app.sandbox.engine import EngineError, EngineRefused
from app.sandbox.engines.embedded.refusal import cure_for
from app.sandbox.engines.embedded.seccomp import ARCHITECTURES
from app.sandbox.model import DoctorReport, Finding, LimitStrength, ReadyProbe, SandboxSpec, ServiceSpec

if TYPE_CHECKING:
    from app.sandbox.engines.embedded.engine import EmbeddedEngine

_IMAGE = "agent"
_BACK_PORT = 8000
_SERVICE = (
    f"import socket, time\nserver = socket.create_server(('0.0.0.0', {_BACK_PORT}))\nwhile True: server.accept()[0].close()\n"
)
#: Runs in a front service; prints what it could do. Every answer but `peer` must be false.
_LOOK_AROUND = f"""
import ctypes, json, os, socket, sys
libc = ctypes.CDLL(None, use_errno=True)
def reaches(host, port):
    try:
        socket.create_connection((host, port), 1).close()
        return True
    except OSError:
        return False
def writes(path):
    try:
        open(path, "w").close()
        return True
    except OSError:
        return False
status = dict(line.split(":\\t") for line in open("/proc/self/status").read().splitlines())
answers = {{
    "peer": reaches("peer", {_BACK_PORT}),
    "back by name": reaches("back", {_BACK_PORT}),
    "back by address": any(reaches(f"10.98.2.{{host}}", {_BACK_PORT}) for host in (1, 10)),
    "host": reaches("192.0.2.1", 80),
    "capabilities": int(status["CapEff"], 16) | int(status["CapBnd"], 16),
    "unfiltered": status["Seccomp"].strip() != "2" or status["NoNewPrivs"].strip() != "1",
    "user namespace": libc.unshare(0x10000000) == 0,
    "root": os.getuid() == 0,
    "image writable": writes("/usr/x") or writes("/x"),
    "other processes": len([name for name in os.listdir("/proc") if name.isdigit()]) > 8,
}}
print(json.dumps(answers))
"""
_MEANING = {
    "peer": "services reach each other by name",
    "back by name": "a front service resolves a back service",
    "back by address": "a front service reaches the back segment",
    "host": "a pod has a route out",
    "capabilities": "a service has capabilities",
    "unfiltered": "a service runs without the system call filter",
    "user namespace": "a service can make user namespaces",
    "root": "a service runs as root",
    "image writable": "a service can write to its image",
    "other processes": "a service sees processes of others",
}


def _service(name: str, segment: str) -> ServiceSpec:
    # Ready when it listens: a peer that is still starting must not look like a network that does not work.
    return ServiceSpec(
        name, _IMAGE, ("/usr/bin/python3", "-c", _SERVICE), given=segment == "back", segment=segment, workspace=False,  # type: ignore[arg-type]
        ready=ReadyProbe("tcp", _BACK_PORT),
    )  # fmt: skip


async def examine(engine: EmbeddedEngine) -> DoctorReport:
    """See `Engine.doctor`."""
    versions = {"kernel": platform.release(), "machine": platform.machine(), "python": platform.python_version()}
    findings: list[Finding] = []
    groups = 0
    bwrap = ""
    machine = platform.machine()
    findings.append(
        Finding("machine", machine in ARCHITECTURES, f"The filter knows {', '.join(ARCHITECTURES)}; this is {machine}.")
    )
    try:
        handle = engine.handle
        bwrap = str(handle.installed.bwrap)
        versions["bubblewrap"] = handle.installed.bwrap_version
        powers = await engine.spawner().powers()
        groups = powers.groups
        versions["cgroups"] = f"v{groups}" if groups else "not writable"
        if powers.pod_uids:
            findings.append(Finding("uids", True, "Each pod has host uids of its own."))
        else:
            findings.append(
                Finding("uids", not powers.unsafe, powers.unsafe or "All pods share your uid; namespaces keep them apart.")
            )
        findings += await _probe(engine)
    except EngineRefused as error:
        findings.append(Finding("isolation", False, error.message, error.cure or ""))
    except PlatformError as error:
        findings.append(Finding("isolation", False, error.message, error.cure or cure_for(error.message, bwrap=bwrap)))
    return DoctorReport(engine.name, all(finding.ok for finding in findings), _strengths(groups), tuple(findings), versions)


async def _probe(engine: EmbeddedEngine) -> list[Finding]:
    spec = SandboxSpec(
        f"doctor-{secrets.token_hex(4)}", (_service("front", "front"), _service("peer", "front"), _service("back", "back")),
        two_segments=True, memory_mb=256,
    )  # fmt: skip
    try:
        await engine.launch(spec)
        await engine.release(spec.id)
        async for status in engine.watch(spec.id):
            if status.ready:
                break
            broken = [service.message for service in status.services if service.message]
            if broken or not status.alive:
                raise EngineError("; ".join(broken) or status.reason)
        result = await engine.exec(spec.id, "front", ["/usr/bin/python3", "-c", _LOOK_AROUND], timeout=20)
        if result.exit_code:
            raise EngineError(f"The probe ended with code {result.exit_code}: {result.stderr.decode(errors='replace')[-200:]}")
        return _judge(json.loads(result.stdout))
    finally:
        await engine.stop(spec.id)


def _judge(answers: Mapping[str, Any]) -> list[Finding]:
    wrong = [_MEANING[name] for name, answer in answers.items() if bool(answer) != (name == "peer")]
    if not answers["peer"]:
        wrong[wrong.index(_MEANING["peer"])] = "services do not reach each other"
    if wrong:
        return [Finding("isolation", False, f"The probe pod is not tight: {'; '.join(wrong)}.", "Please report this.")]
    return [Finding("isolation", True, "A nested probe pod ran: two segments, no way out, no rights, filter on.")]


def _strengths(groups: int) -> dict[str, LimitStrength]:
    kernel: LimitStrength = "hard" if groups else "soft"
    return {"memory": kernel, "cpu": kernel, "pids": "hard", "disk": "hard", "log": "hard", "network": "hard"}
