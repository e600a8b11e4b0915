"""One nested bubblewrap, ended at the worst moment: nothing of it stays behind."""

from __future__ import annotations

import json
import subprocess
import sys

from app.sandbox.engines.embedded.seccomp import build
from tests.attacks.weak import BWRAP
from tests.product import TOP

#: A jail with a real bubblewrap that cannot name its child before we let it: the pipe to us is full. In a process of its own,
#: since the agent's loop takes every child of its process for its own.
SCRIPT = """
import fcntl, json, os, signal, sys, time
from pathlib import Path

from app.sandbox.engines.embedded.bare.agent import jail
from app.sandbox.engines.embedded.bare.agent.groups import ServiceGroup
from app.sandbox.engines.embedded.bare.info import Info
from app.sandbox.engines.embedded.bare.loop import Loop

PAGE = 4096

class Full(Info):
    def __init__(self, loop, on_child):
        super().__init__(loop, on_child)
        fcntl.fcntl(self.write_end, 1031, PAGE)
        os.write(self.write_end, b" " * PAGE)
        self.empty = lambda fd=self._fd: os.read(fd, PAGE)
        pipes.append(self)

def children(pid):
    return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]

def lives(pid):
    try: return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError: return False

def wait_for(what):
    until = time.monotonic() + 10
    while not what():
        assert time.monotonic() < until
        time.sleep(0.002)

given = json.loads(sys.argv[1])
pipes, named, ended, loop = [], [], [], Loop()
jail.BWRAP, jail.Info = given["bwrap"], Full
limits = {"nofile": 64, "pids": 20, "memory_mb": 64, "cpus": 1.0}
mounts = ["--ro-bind", "/", "/", "--proc", "/proc", "--dev", "/dev"]
group = ServiceGroup("x", limits, Path("/nowhere"))
cell = jail.Cell("host", mounts, "/", {}, bytes.fromhex(given["filter"]), limits, group, 0, None)
null = os.open("/dev/null", os.O_RDWR)
def on_exit(code):
    ended.append(code)
    loop.quit()
made = jail.Jail(loop, cell, ["/bin/true"], (null, null, 2), named.append, on_exit)
(bwrap,) = children(os.getpid())
wait_for(lambda: children(bwrap))
(child,) = children(bwrap)
if given["kill"]:
    made.kill()
pipes[0].empty()
loop.run()
until = time.monotonic() + 3
while lives(child) and time.monotonic() < until:
    time.sleep(0.01)
left = lives(child)
if left:
    os.kill(child, signal.SIGKILL)
print(json.dumps({"ended": ended, "named": [pid == child for pid in named], "left": left}))
"""


def jailed(*, kill: bool) -> dict[str, object]:
    given = json.dumps({"bwrap": BWRAP, "filter": build().hex(), "kill": kill})
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT, given], cwd=TOP, capture_output=True, text=True, timeout=60, check=False
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_jail_that_is_ended_before_it_has_named_its_child_leaves_no_process() -> None:
    # Given that it runs and ends by itself when nobody interferes
    assert jailed(kill=False) == {"ended": [0], "named": [True], "left": False}
    # When it is ended while bubblewrap has a child that nobody knows yet
    # Then the child is gone as well, without having run anything
    assert jailed(kill=True) == {"ended": [137], "named": [], "left": False}
