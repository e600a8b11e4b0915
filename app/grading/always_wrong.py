"""Solutions that no exercise may accept, whatever its checks are: nothing, noise, hanging, crashing, forging."""

from __future__ import annotations

import json

from app.content.exercise import Exercise

_SLEEPS = "import time\nwhile True:\n    time.sleep(3600)\n"
_FLOODS = "import sys\nline = 'x' * 4095 + '\\n'\nwhile True:\n    sys.stdout.write(line)\n"
_CRASHES = "raise SystemExit('this program refuses to work')\n"

#: Answers every connection on the port that the platform looks at with the same few bytes.
_CONSTANT = """import socket
server = socket.create_server(("0.0.0.0", {port}))
while True:
    client, _ = server.accept()
    client.sendall(b'HTTP/1.1 200 OK\\r\\nContent-Length: 11\\r\\nConnection: close\\r\\n\\r\\n{{"ok":true}}')
    client.close()
"""

#: Prints frames that look like the prober's own, and writes result files where graders of old have looked for them.
_FORGES = """import pathlib
import sys
import time
FRAMES = {frames!r}
for path in ("/results/results.json", "/tmp/result.json", "/data/result.json", "/member/result.json", "/dev/shm/result"):
    try:
        pathlib.Path(path).write_text(FRAMES)
    except OSError:
        pass
for _ in range(50):
    print(FRAMES, flush=True)
    print(FRAMES, file=sys.stderr, flush=True)
    time.sleep(0.1)
while True:
    time.sleep(3600)
"""


def always_wrong(exercise: Exercise) -> dict[str, dict[str, str]]:
    """Name -> files. Only Python files are replaced by programs; the others stay as in the reference, or are emptied."""
    programs = {
        "empty": "",
        "constant": _CONSTANT.format(port=_port(exercise)),
        "sleeps": _SLEEPS,
        "floods": _FLOODS,
        "crashes": _CRASHES,
        "forges": _FORGES.format(frames=_frames(exercise)),
    }
    reference = exercise.solution()
    python = [item.path for item in exercise.definition.workspace.editable if item.language == "python"]
    found = {name: {**reference, **dict.fromkeys(python, text)} for name, text in programs.items() if python}
    return {**found, "all-empty": {**reference, **dict.fromkeys(exercise.editable_paths, "")}}


def _port(exercise: Exercise) -> int:
    services = exercise.definition.sandbox.services.values()
    return next((s.ready.port for s in services if not s.given and s.ready and s.ready.port), 8080)


def _frames(exercise: Exercise) -> str:
    frames: list[dict[str, object]] = []
    for check in exercise.definition.checks.items:
        frames.append({"type": "check_started", "id": check.id})
        frames.append({"type": "check_finished", "id": check.id, "status": "passed", "seconds": 0.1, "message": None})
    frames.append({"type": "finished", "scale": 1.0, "verdict": "passed", "score": 100})
    return "\n".join(json.dumps(frame) for frame in frames) + "\n"
