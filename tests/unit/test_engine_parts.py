"""Small parts of the embedded engine: packets, kept output, what a root process may do."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from app.sandbox.engines.embedded.bare import wire
from app.sandbox.engines.embedded.bare.agent.capture import Capture
from app.sandbox.engines.embedded.bare.loop import Loop
from app.sandbox.engines.embedded.bare.spawner.powers import open_to_others, read_powers
from app.sandbox.engines.embedded.sandbox import Sandbox
from app.sandbox.engines.revision import file_digests, workspace_revision
from app.sandbox.model import EngineStatus, SandboxSpec

ALL_CAPABILITIES = "000001ffffffffff"
WHOLE_MACHINE = "         0          0 4294967295\n"


@pytest.fixture
def pair() -> Iterator[tuple[socket.socket, socket.socket]]:
    left, right = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with left, right:
        yield left, right


@pytest.mark.parametrize("size", [0, 5, wire.MAX_INLINE, wire.MAX_INLINE + 1, 3 << 20])
def test_a_packet_arrives_as_it_was_sent(pair: tuple[socket.socket, socket.socket], size: int) -> None:
    left, right = pair
    body = os.urandom(size)
    with open("/dev/null") as file:  # noqa: PTH123
        wire.send(left, {"op": "put", "text": "я\n"}, body, [file.fileno()])
    packet = wire.receive(right)
    assert packet is not None
    assert (packet.header, packet.body, len(packet.fds)) == ({"op": "put", "text": "я\n"}, body, 1)
    assert not os.get_inheritable(packet.fds[0])
    packet.close()


def test_a_body_that_could_change_or_block_is_refused(pair: tuple[socket.socket, socket.socket], tmp_path: Path) -> None:
    left, right = pair
    before = set(os.listdir("/proc/self/fd"))  # noqa: PTH208
    pipe = os.pipe()
    (tmp_path / "plain").write_bytes(b"x")
    plain = os.open(tmp_path / "plain", os.O_RDONLY)
    # Given a pipe that never ends, and a file that its sender can still write to
    for fd in (pipe[0], plain):
        wire.send(left, {"_memfd": True}, b"", [fd])
        with pytest.raises(wire.Broken):
            wire.receive(right)
    # Then neither is read, and no descriptor is left open
    for fd in (*pipe, plain):
        os.close(fd)
    assert set(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


@pytest.mark.parametrize("data", [b"no header", b"[]\n", b"{\n", b"\xff\n", b"[" * 50_000 + b"\n"])
def test_nonsense_is_broken_and_nothing_else(pair: tuple[socket.socket, socket.socket], data: bytes) -> None:
    left, right = pair
    left.send(data)
    with pytest.raises(wire.Broken):
        wire.receive(right)


def test_an_argument_cannot_smuggle_an_option() -> None:
    with pytest.raises(ValueError, match="NUL"):
        wire.sealed_arguments(["--setenv", "A", "x\0--bind\0/\0/"])


def test_files_travel_in_one_body() -> None:
    files = {"a.txt": b"", "ещё/b.bin": bytes(range(256)), "c": b"\n{}\n"}
    assert wire.unpack_files(wire.pack_files(files)) == files


def test_output_is_kept_up_to_its_ceiling_and_counted_above() -> None:
    # Given a capture of ten bytes
    loop = Loop()
    capture = Capture(loop, 10)
    end = capture.pipe()
    os.write(end, b"0123456")
    os.write(end, b"789abcdef")
    os.close(end)
    # When everything has been read
    loop.later(0.05, loop.quit)
    loop.run()
    # Then the first ten are kept, the rest is counted, and the tail is the latest
    assert (capture.read(0, 100), capture.size, capture.dropped) == (b"0123456789", 10, 6)
    assert (capture.read(8, 100), capture.tail(4), capture.open) == (b"89", b"cdef", False)


def powers_of(tmp_path: Path, uid: int, capabilities: str, uid_map: str) -> tuple[bool, bool, bool]:
    (tmp_path / "status").write_text(f"Name:\tx\nUid:\t{uid}\t{uid}\t{uid}\t{uid}\nCapEff:\t{capabilities}\n")
    (tmp_path / "uid_map").write_text(uid_map)
    powers = read_powers(tmp_path)
    return powers.pod_uids, powers.mounts, bool(powers.unsafe)


def test_it_reads_its_powers_from_the_kernel_and_not_from_the_uid(tmp_path: Path) -> None:
    # real root; root of a container without SYS_ADMIN; root that may not change uids; root of a one-uid namespace; a user
    assert powers_of(tmp_path, 0, ALL_CAPABILITIES, WHOLE_MACHINE) == (True, True, False)
    assert powers_of(tmp_path, 0, "00000000000000c0", WHOLE_MACHINE) == (True, False, False)
    assert powers_of(tmp_path, 0, "0000000000000000", WHOLE_MACHINE) == (False, False, True)
    assert powers_of(tmp_path, 0, ALL_CAPABILITIES, "0 1000 1\n") == (False, False, False)
    assert powers_of(tmp_path, 1000, "0000000000000000", WHOLE_MACHINE) == (False, False, False)


def test_it_knows_which_folders_others_can_enter(tmp_path: Path) -> None:
    # pytest's own folder is closed to others when root runs the tests, so an open one is needed for the control
    closed = tmp_path / "closed"
    (closed / "inner").mkdir(parents=True)
    closed.chmod(0o700)
    assert open_to_others("/usr/bin")
    assert not open_to_others(str(closed / "inner"))


def test_a_revision_is_that_of_the_content() -> None:
    one = workspace_revision(file_digests({"a": b"1", "b": b"2"}))
    assert one == workspace_revision(file_digests({"b": b"2", "a": b"1"}))
    for other in ({"a": b"1"}, {"a": b"2", "b": b"1"}, {"a\0b": b"1"}, {}):
        assert workspace_revision(file_digests(other)) != one


@pytest.mark.parametrize("dies", [False, True])
def test_a_busy_agent_is_waited_for_and_a_dead_one_is_known_at_once(
    pair: tuple[socket.socket, socket.socket], *, dies: bool
) -> None:
    ours, theirs = pair
    ours.setblocking(False)
    slow = 5.5  # seconds: a little more than other questions may take

    async def ask() -> tuple[EngineStatus, list[str], float]:
        loop, asked, began = asyncio.get_running_loop(), list[str](), time.monotonic()
        sandbox = Sandbox(SandboxSpec("s", ()), ours, frozenset())

        def hear() -> None:
            packet = wire.receive(theirs)
            assert packet
            asked.append(packet.header["op"])
            if dies:
                loop.remove_reader(theirs)
                theirs.close()
            else:
                answer = {"id": packet.header["id"], "services": [], "events": ["late, not lost"]}
                loop.call_later(slow, wire.send, theirs, answer)

        loop.add_reader(theirs, hear)
        status = await sandbox.status()
        if not dies:
            loop.remove_reader(theirs)
        sandbox.close()
        return status, asked, time.monotonic() - began

    status, asked, took = asyncio.run(ask())
    assert (status.alive, status.events) == ((False, ()) if dies else (True, ("late, not lost",)))
    assert asked == ["status"], "a question is put once"
    assert took < slow if dies else took >= slow
