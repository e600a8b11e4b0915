"""The filter, judged by interpreting its instructions: both architectures, whatever this machine is."""

from __future__ import annotations

import errno
import struct

import pytest

from app.sandbox.engines.embedded.seccomp import ALLOW, ARCHITECTURES, ERRNO, KILL, build

MACHINES = sorted(ARCHITECTURES)
EPERM, ENOSYS, EAFNOSUPPORT = (ERRNO | number for number in (errno.EPERM, errno.ENOSYS, errno.EAFNOSUPPORT))
#: What ordinary programs need, by architecture.
HARMLESS = {
    "x86_64": {
        "read": 0, "write": 1, "mmap": 9, "rt_sigaction": 13, "connect": 42, "fork": 57, "execve": 59, "futex": 202,
        "epoll_wait": 232, "openat": 257, "prlimit64": 302, "getrandom": 318, "memfd_create": 319, "statx": 332,
        "openat2": 437, "close_range": 436, "sched_getaffinity": 204, "prctl": 157, "seccomp": 317,
    },
    "aarch64": {
        "read": 63, "write": 64, "mmap": 222, "rt_sigaction": 134, "connect": 203, "execve": 221, "futex": 98,
        "epoll_pwait": 22, "openat": 56, "prlimit64": 261, "getrandom": 278, "memfd_create": 279, "statx": 291,
        "openat2": 437, "close_range": 436, "sched_getaffinity": 123, "prctl": 167, "seccomp": 277,
    },
}  # fmt: skip


def run(program: bytes, audit: int, number: int, *arguments: int) -> int:
    """What the kernel would answer: a small interpreter of classic BPF over seccomp_data."""
    values = [*arguments, *[0] * (6 - len(arguments))]
    data = struct.pack("<IIQ6Q", number & 0xFFFFFFFF, audit, 0, *(value & (1 << 64) - 1 for value in values))
    code = list(struct.iter_unpack("<HBBI", program))
    accumulator = at = 0
    for _ in range(len(code) + 1):
        operation, true, false, value = code[at]
        at += 1
        if operation == 0x20:
            accumulator = struct.unpack_from("<I", data, value)[0]
        elif operation == 0x06:
            return int(value)
        else:
            holds = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[operation]
            at += true if holds else false
    raise AssertionError("the program does not end")


def ask(machine: str, call: str | int, *arguments: int) -> int:
    architecture = ARCHITECTURES[machine]
    number = architecture.calls[call] if isinstance(call, str) else call
    return run(build(machine), architecture.audit, number, *arguments)


@pytest.mark.parametrize("machine", MACHINES)
def test_it_denies_what_widens_the_kernel(machine: str) -> None:
    judged = {"clone", "clone3", "ioctl", "socket", "socketpair", "personality"}
    for call in ARCHITECTURES[machine].calls.keys() - judged:
        assert ask(machine, call) == EPERM, call


@pytest.mark.parametrize("machine", MACHINES)
def test_it_allows_what_programs_need(machine: str) -> None:
    for call, number in HARMLESS[machine].items():
        assert ask(machine, number) == ALLOW, call


@pytest.mark.parametrize("machine", MACHINES)
def test_it_judges_calls_by_their_arguments(machine: str) -> None:
    # threads and forks pass, new namespaces do not, even when hidden among other flags
    assert ask(machine, "clone", 0x3D0F00) == ALLOW
    assert ask(machine, "clone", 0x1200011) == ALLOW
    for bit in (0x20000, 0x2000000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000):
        assert ask(machine, "clone", 0x3D0F00 | bit) == EPERM
    assert ask(machine, "clone3") == ENOSYS
    # terminals may be asked and resized, not typed into, whatever stands in the upper half
    assert ask(machine, "ioctl", 0, 0x5413) == ALLOW
    for request in (0x5412, 0x541C, 0xDEAD_0000_5412):
        assert ask(machine, "ioctl", 0, request) == EPERM
    # families that a network namespace confines
    assert [ask(machine, "socket", family, 1, 0) for family in (1, 2, 10)] == [ALLOW] * 3
    assert [ask(machine, "socket", family, 1, 0) for family in (17, 31, 38, 40, 44)] == [EAFNOSUPPORT] * 5
    assert [ask(machine, "socket", 16, 3, protocol) for protocol in (0, 12, 15)] == [ALLOW, EAFNOSUPPORT, EAFNOSUPPORT]
    assert [ask(machine, "socketpair", family, 1, 0) for family in (1, 2, 30)] == [ALLOW, EAFNOSUPPORT, EAFNOSUPPORT]
    assert [ask(machine, "personality", value) for value in (0xFFFFFFFF, 0, 0x0040000)] == [ALLOW, ALLOW, EPERM]


@pytest.mark.parametrize("machine", MACHINES)
def test_it_refuses_other_tables_of_calls(machine: str) -> None:
    program = build(machine)
    for audit in (0x40000003, 0xC00000B7 if machine == "x86_64" else 0xC000003E, 0):
        assert run(program, audit, HARMLESS[machine]["read"]) == KILL
    # calls that did not exist when the filter was written, and x32 ones
    assert ask(machine, 500) == ENOSYS
    assert ask(machine, 0x40000000) == ENOSYS
    assert ask(machine, 0x40000000 | 39) == ENOSYS


@pytest.mark.parametrize("machine", MACHINES)
def test_it_is_short_and_every_jump_stays_inside(machine: str) -> None:
    code = list(struct.iter_unpack("<HBBI", build(machine)))
    assert len(code) < 400
    for at, (operation, true, false, _) in enumerate(code):
        if operation in (0x15, 0x35, 0x45):
            assert at + 1 + max(true, false) < len(code)
    assert code[-1][0] == 0x06


def test_it_knows_no_filter_for_other_machines() -> None:
    with pytest.raises(KeyError):
        build("riscv64")
