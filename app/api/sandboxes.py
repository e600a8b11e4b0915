"""Practice sandboxes: start, look, change, stop."""

from __future__ import annotations

import re

from app.accounts.limits import LAUNCH
from app.api import present
from app.api import schemas as s
from app.api.context import cases, viewer
from app.api.operations import operation, place
from app.errors import NotFound

_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")


@operation("POST", "/exercises/<exercise_id>/sandbox", status=202, body=s.SandboxIn, reply=s.SandboxOut, rate=LAUNCH)
def open_sandbox(exercise_id: str, body: s.SandboxIn) -> tuple[s.SandboxOut, str]:
    """Start a sandbox with your saved draft; one of this exercise that runs already is returned."""
    view = cases().sandboxes.open(viewer().user_id, exercise_id, replace=body.replace)
    return present.sandbox(view), place("sandbox", sandbox_id=view.id)


@operation("GET", "/exercises/<exercise_id>/sandbox", reply=s.SandboxOut)
def sandbox_of_exercise(exercise_id: str) -> s.SandboxOut:
    """Your sandbox of an exercise: the living one, else the one that ended last."""
    view = cases().sandboxes.of_exercise(viewer().user_id, exercise_id)
    if view is None:
        raise NotFound("You have had no sandbox of this exercise.", code="no-such-sandbox")
    return present.sandbox(view)


@operation("GET", "/sandboxes/<sandbox_id>", reply=s.SandboxOut)
def sandbox(sandbox_id: str) -> s.SandboxOut:
    """One sandbox with its services."""
    return present.sandbox(cases().sandboxes.view(viewer(), sandbox_id))


@operation("DELETE", "/sandboxes/<sandbox_id>", status=202, reply=s.SandboxOut)
def stop_sandbox(sandbox_id: str) -> s.SandboxOut:
    """Close a sandbox; your files are kept."""
    return present.sandbox(cases().sandboxes.stop(viewer(), sandbox_id))


@operation("POST", "/sandboxes/<sandbox_id>/extend", reply=s.SandboxOut)
def extend_sandbox(sandbox_id: str) -> s.SandboxOut:
    """Half an hour more, twice at most."""
    return present.sandbox(cases().sandboxes.extend(viewer(), sandbox_id))


@operation("POST", "/sandboxes/<sandbox_id>/apply", body=s.ApplyIn, reply=s.SandboxOut)
def apply_files(sandbox_id: str, body: s.ApplyIn) -> s.SandboxOut:
    """Restart your services with the saved draft."""
    return present.sandbox(cases().sandboxes.apply(viewer(), sandbox_id, body.services))


@operation("POST", "/sandboxes/<sandbox_id>/services/<service>", body=s.ControlIn, reply=s.SandboxOut)
def control_service(sandbox_id: str, service: str, body: s.ControlIn) -> s.SandboxOut:
    """Start, stop, kill, pause, resume, restart or scale one service."""
    return present.sandbox(cases().sandboxes.control(viewer(), sandbox_id, service, body.action, body.replicas))


@operation("GET", "/sandboxes/<sandbox_id>/services/<service>/logs", query=s.LogsQuery, reply=s.LogsOut)
def service_logs(sandbox_id: str, service: str, query: s.LogsQuery) -> s.LogsOut:
    """A page of a service's kept output."""
    page = cases().sandboxes.logs(viewer(), sandbox_id, service, query.offset, query.limit)
    text = _CONTROL.sub("", page.data.decode("utf-8", "replace").replace("\r\n", "\n"))
    return s.LogsOut(service=service, offset=page.offset, next_offset=page.next_offset, dropped=page.dropped, text=text)
