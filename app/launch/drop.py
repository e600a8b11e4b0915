"""Start a program as another account: `python -I drop.py [--user NAME] [--bind FROM:TO]… [--umask 077] -- argv…`.

Stdlib only and independent of the package: it may be the first thing that runs in a place which the account cannot read.
`--bind` shows a folder at a reachable path in a private mount namespace (for a checkout below a closed home directory).
The program dies with its parent.
"""

from __future__ import annotations

import ctypes
import os
import pwd
import signal
import sys
from pathlib import Path

CLONE_NEWNS = 0x20000
MS_BIND, MS_REC, MS_PRIVATE = 0x1000, 0x4000, 0x40000
PR_SET_PDEATHSIG = 1
libc = ctypes.CDLL(None, use_errno=True)


def checked(result: int, what: str) -> None:
    """Raise `OSError` when a C call failed."""
    if result != 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")


def bind(pairs: list[tuple[str, str]]) -> None:
    """Show each folder at its second path, in a mount namespace of this process alone."""
    checked(libc.unshare(CLONE_NEWNS), "unshare")
    checked(libc.mount(b"none", b"/", None, MS_REC | MS_PRIVATE, None), "make mounts private")
    for source, target in pairs:
        Path(target).mkdir(parents=True, exist_ok=True)
        checked(libc.mount(source.encode(), target.encode(), None, MS_BIND | MS_REC, None), f"bind {target}")


def become(name: str) -> None:
    """Drop to an account, with its primary group and the groups it is a member of."""
    account = pwd.getpwnam(name)
    os.initgroups(name, account.pw_gid)
    os.setresgid(account.pw_gid, account.pw_gid, account.pw_gid)
    os.setresuid(account.pw_uid, account.pw_uid, account.pw_uid)


def main(arguments: list[str]) -> None:
    """Parse, drop, exec."""
    user, umask, pairs, parent = "", 0o022, [], os.getppid()
    os.umask(0o022)  # the places that folders are bound to must be enterable
    while arguments and arguments[0] != "--":
        option, value = arguments.pop(0), arguments.pop(0)
        if option == "--user":
            user = value
        elif option == "--bind":
            source, target = value.split(":", 1)
            pairs.append((source, target))
        elif option == "--umask":
            umask = int(value, 8)
        else:
            sys.exit(f"drop: unknown option {option}")
    command = arguments[1:]
    if pairs:
        bind(pairs)
        here = str(Path.cwd())
        inside = next((to + here[len(frm) :] for frm, to in pairs if f"{here}/".startswith(f"{frm}/")), None)
        if inside:
            os.chdir(inside)
    if user:
        become(user)
    # After the change of account: the kernel forgets this setting when credentials change.
    checked(libc.prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0), "die with the parent")
    if os.getppid() != parent:
        sys.exit("drop: the parent is gone")
    os.umask(umask)
    os.execv(command[0], command)  # noqa: S606 - the launcher's own argv, no shell wanted


if __name__ == "__main__":
    main(sys.argv[1:])
