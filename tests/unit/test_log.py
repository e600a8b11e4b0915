"""Logs are one JSON line per event and never hold a secret (B14, threat 23)."""

from __future__ import annotations

import json
import subprocess
import sys

SCRIPT = """
import logging, structlog
from app import log
log.configure("web", "info")
ours = structlog.get_logger()
ours.info("signed-in", user="u1", password="canary-1", cookies={"soty_session": "canary-2", "deep": [{"token": "canary-3"}]})
ours.warning("soty_canary4canary4canary4canary4", detail="Authorization: Bearer canary-5", url="postgresql://soty:canary-6@host/db")
ours.info("line one\\nline two \\x1b[31mred\\r\\n", path="/a\\nb")
logging.getLogger("library").error("theirs %s", "Bearer canary-7")
try:
    raise ValueError("soty_canary8canary8canary8canary8")
except ValueError:
    ours.exception("broken")
"""


def test_each_event_is_one_line_without_secrets() -> None:
    result = subprocess.run([sys.executable, "-c", SCRIPT], capture_output=True, text=True, timeout=30, check=True)
    assert result.stdout == ""
    assert "canary" not in result.stderr
    lines = [json.loads(line) for line in result.stderr.splitlines()]
    assert len(lines) == 5
    assert {line["process"] for line in lines} == {"web"}
    assert lines[0]["user"] == "u1"
    assert lines[0]["password"] == "[hidden]"
    assert lines[1]["url"] == "postgresql://[hidden]@host/db"
    assert lines[2]["event"] == "line one\nline two \x1b[31mred\r\n"
    assert "ValueError" in lines[4]["exception"]
