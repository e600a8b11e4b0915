"""The filter that every process of a service runs under: classic BPF, built here, for x86_64 and aarch64.

A deny-list, because learners run arbitrary programs: it closes what widens the kernel's surface (namespaces, mounts, tracing,
keys, io_uring, bpf, ...), sockets that a network namespace does not confine (vsock), and typing into terminals.
Unknown, newer calls answer ENOSYS, as an older kernel would.
"""

from __future__ import annotations

import errno
import platform
import struct
from dataclasses import dataclass

_LOAD, _EQUAL, _AT_LEAST, _ANY_BIT, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, ERRNO, KILL = 0x7FFF0000, 0x00050000, 0x80000000
_NUMBER, _ARCHITECTURE = 0, 4
_TIOCSTI, _TIOCLINUX = 0x5412, 0x541C
_CLONE_NEW = 0x7E020000  # every CLONE_NEW* bit that clone(2) knows
_X32 = 0x40000000
_AF_UNIX, _AF_INET, _AF_INET6, _AF_NETLINK = 1, 2, 10, 16

#: Both architectures took the same numbers from 424 on.
_SHARED = {
    "pidfd_getfd": 438, "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fsconfig": 431, "fsmount": 432, "fspick": 433, "clone3": 435,
    "process_madvise": 440, "mount_setattr": 442, "quotactl_fd": 443, "memfd_secret": 447, "process_mrelease": 448,
    "statmount": 457, "listmount": 458, "open_tree_attr": 467,
}  # fmt: skip
_NEWEST = 470


@dataclass(frozen=True, slots=True)
class Architecture:
    """Audit number and call numbers of one instruction set."""

    audit: int
    calls: dict[str, int]
    x32: bool = False


ARCHITECTURES = {
    "x86_64": Architecture(
        0xC000003E,
        {
            "ptrace": 101, "syslog": 103, "mount": 165, "umount2": 166, "swapon": 167, "swapoff": 168, "reboot": 169,
            "pivot_root": 155, "chroot": 161, "acct": 163, "settimeofday": 164, "clock_settime": 227, "adjtimex": 159,
            "clock_adjtime": 305, "init_module": 175, "finit_module": 313, "delete_module": 176, "kexec_load": 246,
            "kexec_file_load": 320, "add_key": 248, "request_key": 249, "keyctl": 250, "unshare": 272, "setns": 308,
            "perf_event_open": 298, "bpf": 321, "userfaultfd": 323, "open_by_handle_at": 304, "name_to_handle_at": 303,
            "process_vm_readv": 310, "process_vm_writev": 311, "kcmp": 312, "quotactl": 179, "nfsservctl": 180,
            "lookup_dcookie": 212, "vhangup": 153, "fanotify_init": 300, "sched_setaffinity": 203, "mbind": 237,
            "set_mempolicy": 238, "migrate_pages": 256, "move_pages": 279, "sethostname": 170, "setdomainname": 171,
            "personality": 135, "modify_ldt": 154, "iopl": 172, "ioperm": 173, "uselib": 134, "ustat": 136,
            "sysfs": 139, "_sysctl": 156, "create_module": 174, "get_kernel_syms": 177, "query_module": 178,
            "clone": 56, "ioctl": 16, "socket": 41, "socketpair": 53, **_SHARED,
        },
        x32=True,
    ),
    "aarch64": Architecture(
        0xC00000B7,
        {
            "ptrace": 117, "syslog": 116, "mount": 40, "umount2": 39, "swapon": 224, "swapoff": 225, "reboot": 142,
            "pivot_root": 41, "chroot": 51, "acct": 89, "settimeofday": 170, "clock_settime": 112, "adjtimex": 171,
            "clock_adjtime": 266, "init_module": 105, "finit_module": 273, "delete_module": 106, "kexec_load": 104,
            "kexec_file_load": 294, "add_key": 217, "request_key": 218, "keyctl": 219, "unshare": 97, "setns": 268,
            "perf_event_open": 241, "bpf": 280, "userfaultfd": 282, "open_by_handle_at": 265, "name_to_handle_at": 264,
            "process_vm_readv": 270, "process_vm_writev": 271, "kcmp": 272, "quotactl": 60, "nfsservctl": 42,
            "lookup_dcookie": 18, "vhangup": 58, "fanotify_init": 262, "sched_setaffinity": 122, "mbind": 235,
            "set_mempolicy": 237, "migrate_pages": 238, "move_pages": 239, "sethostname": 161, "setdomainname": 162,
            "personality": 92, "clone": 220, "ioctl": 29, "socket": 198, "socketpair": 199, **_SHARED,
        },
    ),
}  # fmt: skip
#: Calls that are judged by their arguments, or answer something else than EPERM.
_JUDGED = frozenset({"clone", "clone3", "ioctl", "socket", "socketpair", "personality"})


class _Program:
    def __init__(self) -> None:
        self.code: list[tuple[int, int, int, int]] = []

    def add(self, operation: int, value: int, true: int = 0, false: int = 0) -> None:
        self.code.append((operation, true, false, value))

    def deny(self, number: int = errno.EPERM) -> None:
        self.add(_RETURN, ERRNO | number)

    def only_for(self, call: int, body: _Program) -> None:
        """Run `body` (which must return) for one call, else go on."""
        self.add(_EQUAL, call, 0, len(body.code))
        self.code += body.code

    def load_argument(self, index: int) -> None:
        """The low half of an argument; both architectures are little-endian."""
        self.add(_LOAD, 16 + 8 * index)


def build(machine: str = "") -> bytes:
    """The filter as cBPF (8 bytes an instruction) for `machine`, by default this one.

    Raises:
        KeyError: no filter for this architecture.
    """
    architecture = ARCHITECTURES[machine or platform.machine()]
    calls = architecture.calls
    program = _Program()
    program.add(_LOAD, _ARCHITECTURE)
    program.add(_EQUAL, architecture.audit, 1, 0)
    program.add(_RETURN, KILL)
    program.add(_LOAD, _NUMBER)
    if architecture.x32:
        program.add(_AT_LEAST, _X32, 0, 1)
        program.deny(errno.ENOSYS)
    program.add(_AT_LEAST, _NEWEST + 1, 0, 1)
    program.deny(errno.ENOSYS)
    for name in sorted(calls.keys() - _JUDGED):
        program.add(_EQUAL, calls[name], 0, 1)
        program.deny()
    for name, body in (
        ("clone3", _unknown()),
        ("clone", _clone()),
        ("ioctl", _ioctl()),
        ("socket", _socket()),
        ("socketpair", _socketpair()),
        ("personality", _personality()),
    ):
        program.only_for(calls[name], body)
    program.add(_RETURN, ALLOW)
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in program.code)


def _unknown() -> _Program:
    """clone3 hides its flags behind a pointer; the C library falls back to clone when it does not exist."""
    body = _Program()
    body.deny(errno.ENOSYS)
    return body


def _clone() -> _Program:
    body = _Program()
    body.load_argument(0)
    body.add(_ANY_BIT, _CLONE_NEW, 0, 1)
    body.deny()
    body.add(_RETURN, ALLOW)
    return body


def _ioctl() -> _Program:
    body = _Program()
    body.load_argument(1)
    for request in (_TIOCSTI, _TIOCLINUX):
        body.add(_EQUAL, request, 0, 1)
        body.deny()
    body.add(_RETURN, ALLOW)
    return body


def _socket() -> _Program:
    body = _Program()
    body.load_argument(0)
    for family in (_AF_UNIX, _AF_INET, _AF_INET6):
        body.add(_EQUAL, family, 0, 1)
        body.add(_RETURN, ALLOW)
    body.add(_EQUAL, _AF_NETLINK, 1, 0)
    body.deny(errno.EAFNOSUPPORT)
    body.load_argument(2)  # only routing tables, which the C library reads to list interfaces
    body.add(_EQUAL, 0, 0, 1)
    body.add(_RETURN, ALLOW)
    body.deny(errno.EAFNOSUPPORT)
    return body


def _socketpair() -> _Program:
    body = _Program()
    body.load_argument(0)
    body.add(_EQUAL, _AF_UNIX, 0, 1)
    body.add(_RETURN, ALLOW)
    body.deny(errno.EAFNOSUPPORT)
    return body


def _personality() -> _Program:
    """Reading it is harmless; setting it switches off address randomisation."""
    body = _Program()
    body.load_argument(0)
    for value in (0, 0xFFFFFFFF):
        body.add(_EQUAL, value, 0, 1)
        body.add(_RETURN, ALLOW)
    body.deny()
    return body
