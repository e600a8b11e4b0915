"""Who else is on this network, found by asking every address of it and of the networks beside it."""

import contextlib
import errno
import fcntl
import selectors
import socket
import struct
import time

_PATIENCE = 1.0
_OWN_ADDRESS = 0x8915  # SIOCGIFADDR


def own_addresses() -> list[str]:
    """IPv4 addresses of this service, without the loopback."""
    found = []
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asker:
        for _, name in socket.if_nameindex():
            with contextlib.suppress(OSError):
                answer = fcntl.ioctl(asker.fileno(), _OWN_ADDRESS, struct.pack("256s", name.encode()[:15]))
                found.append(socket.inet_ntoa(answer[20:24]))
    return [address for address in found if not address.startswith("127.")]


def candidates() -> list[str]:
    """Every address of our segments and of the ones beside them, as far as a /24 reaches."""
    networks: dict[str, None] = {}
    for address in own_addresses():
        a, b, c, _ = address.split(".")
        for third in (int(c) - 1, int(c), int(c) + 1):
            networks[f"{a}.{b}.{third % 256}"] = None
    own = set(own_addresses())
    return [f"{net}.{host}" for net in networks for host in range(1, 255) if f"{net}.{host}" not in own]


def answering(targets: list[tuple[str, int]]) -> dict[tuple[str, int], int]:
    """What became of connecting to each: 0 or an errno; what does not answer is left out."""
    found: dict[tuple[str, int], int] = {}
    for start in range(0, len(targets), 200):
        with selectors.DefaultSelector() as waiting, contextlib.ExitStack() as sockets:
            for target in targets[start : start + 200]:
                try:
                    one = sockets.enter_context(socket.socket())
                    one.setblocking(False)
                    code = one.connect_ex(target)
                except OSError:
                    continue
                if code == errno.EINPROGRESS:
                    waiting.register(one, selectors.EVENT_WRITE, target)
                else:
                    found[target] = code
            end = time.monotonic() + _PATIENCE
            while waiting.get_map() and (left := end - time.monotonic()) > 0:
                for key, _ in waiting.select(left):
                    assert isinstance(key.fileobj, socket.socket)
                    found[key.data] = key.fileobj.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
                    waiting.unregister(key.fileobj)
    return found


def neighbours() -> list[str]:
    """Addresses where somebody is: a connection is taken or refused."""
    asked = answering([(address, 8080) for address in candidates()])
    return [address for (address, _), code in asked.items() if code in (0, errno.ECONNREFUSED, errno.ECONNRESET)]
