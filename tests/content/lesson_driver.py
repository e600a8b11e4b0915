"""Runs inside a sandbox: the code of one lesson, block after block, as a reader would. Standard library only.

stdin: JSON list of blocks `{"language", "text", "file", "background", "port", "expect"}` in reading order.
stdout: JSON list of results `{"what", "exit_code", "stdout", "stderr"}`, one for each block that was run.
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

SECONDS = 15.0  #: of one block, as the rules for authors say


def run(argv: list[str]) -> dict[str, object]:
    try:
        done = subprocess.run(argv, capture_output=True, text=True, timeout=SECONDS)
    except subprocess.TimeoutExpired as error:
        return {"exit_code": -1, "stdout": str(error.stdout), "stderr": f"still running after {SECONDS:g} s"}
    return {"exit_code": done.returncode, "stdout": done.stdout, "stderr": done.stderr[-4000:]}


def serve(argv: list[str], port: int, log: Path) -> tuple[subprocess.Popen[bytes], dict[str, object]]:
    """Start a background block and wait until its port answers."""
    process = subprocess.Popen(argv, stdout=log.open("wb"), stderr=subprocess.STDOUT)
    deadline = time.monotonic() + SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=0.2).close()
            return process, {"exit_code": 0, "stdout": "", "stderr": ""}
        except OSError:
            time.sleep(0.05)
    return process, {"exit_code": process.poll() or -1, "stdout": "", "stderr": log.read_text()[-4000:]}


def main() -> None:
    results, servers = [], []
    for number, block in enumerate(json.load(sys.stdin)):
        path = Path(block["file"] or f"block_{number}.py")
        path.write_text(block["text"] + "\n")
        if block["language"] == "proto":
            argv = [sys.executable, "-m", "grpc_tools.protoc", "-I.", "--python_out=.", "--grpc_python_out=.", str(path)]
            result = run(argv)
        elif block["background"]:
            process, result = serve([sys.executable, str(path)], int(block["port"]), Path(f"server_{number}.log"))
            servers.append(process)
        else:
            result = run([sys.executable, str(path)])
        results.append({"what": str(path), **result})
        if result["exit_code"]:
            break
    for process in servers:
        process.kill()
    json.dump(results, sys.stdout)


os.chdir(sys.argv[1])
main()
