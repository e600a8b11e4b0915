"""Prepare `SOTY_HOME`, start the supervisor, tell the URL, and stop everything on Ctrl-C."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

from app.errors import PlatformError
from app.launch.places import APP_ACCOUNT, Places, lay_out, survey
from app.launch.supervise import configuration
from app.settings import Settings, load_settings

FIRST_PAGE_SECONDS = 60
PREPARE = ("-m", "app.launch.prepare")


def environment(settings: Settings, places: Places) -> dict[str, str]:
    """What the programs get: our settings with folders as they see them, and what libraries need; nothing else."""
    kept = {k: v for k, v in os.environ.items() if k.startswith("SOTY_") or k in PASSED_ON}
    kept["PATH"] = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
    kept["LANG"] = "C.UTF-8"
    kept["PYTHONDONTWRITEBYTECODE"] = "1"
    kept["PROMETHEUS_MULTIPROC_DIR"] = str(places.seen(settings.home / "metrics"))
    for name in ("home", "lessons_dir", "exercises_dir", "images_dir"):
        kept[f"SOTY_{name.upper()}"] = str(places.seen(getattr(settings, name)))
    return kept


PASSED_ON = frozenset((
    "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL",
    "PIP_CERT", "PIP_CONFIG_FILE", "PIP_FIND_LINKS", "PIP_TRUSTED_HOST", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR",
    "TZ",
))  # fmt: skip


def prepare(settings: Settings, places: Places, env: dict[str, str]) -> str:
    """Migrate the database and ensure an administrator, as the account that owns the database.

    Returns:
        The one-time password of a new administrator, or an empty string.

    Raises:
        PlatformError: with the reason that the step printed.
    """
    drop = Path(__file__).with_name("drop.py")
    argv = [sys.executable, "-I", str(drop), "--umask", "077"]
    if places.as_root:
        for source, target in places.binds:
            argv += ["--bind", f"{source}:{target}"]
        argv += ["--user", APP_ACCOUNT]
    argv += ["--", str(places.seen(Path(sys.executable))), *PREPARE]
    result = subprocess.run(argv, capture_output=True, text=True, env=env, timeout=120, check=False)
    if result.returncode != 0:
        raise PlatformError(result.stderr.strip() or "the database could not be prepared")
    return result.stdout.strip()


def wait_until_served(url: str, supervisor: subprocess.Popen[bytes]) -> bool:
    """Poll the health page; False when the supervisor ended or a minute passed."""
    deadline = time.monotonic() + FIRST_PAGE_SECONDS
    while time.monotonic() < deadline and supervisor.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/healthz", timeout=2):  # noqa: S310 - our own http origin
                return True
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    return False


def check_ports(settings: Settings) -> None:
    """Refuse early and clearly when somebody else listens where we must.

    Raises:
        PlatformError: naming the port, and the setting that moves it.
    """
    for port, setting in ((settings.port, "SOTY_PORT"), (settings.live_port, "SOTY_LIVE_PORT")):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((settings.host, port))
            except OSError as error:
                raise PlatformError(
                    f"Port {port} on {settings.host} cannot be used: {error.strerror}.",
                    cure=f"Stop what listens there, or choose another: {setting}={port + 100} ./run",
                ) from error


def pass_on(supervisor: subprocess.Popen[bytes]) -> None:
    """Copy what the programs say to our output. A pipe lies between, since the supervisor opens its output anew and would
    begin at the start of a file."""
    assert supervisor.stdout is not None
    for line in supervisor.stdout:
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()


def serve(settings: Settings) -> int:
    """Run until told to stop; return the exit code."""
    check_ports(settings)
    places = survey(settings)
    lay_out(places)
    env = environment(settings, places)
    password = prepare(settings, places, env)
    config = settings.home / "run" / "supervisord.conf"
    config.write_text(configuration(settings, places, env))
    config.chmod(0o600)
    drop = Path(__file__).with_name("drop.py")
    supervisor = subprocess.Popen(
        [sys.executable, "-I", str(drop), "--", sys.executable, "-m", "supervisor.supervisord", "--configuration", str(config)],
        cwd=places.checkout, env=env, start_new_session=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    )  # fmt: skip
    threading.Thread(target=pass_on, args=(supervisor,), daemon=True).start()

    def stop(_signal: int, _frame: object) -> None:
        if supervisor.poll() is None:
            supervisor.send_signal(signal.SIGTERM)

    signal.signal(signal.SIGINT, stop)
    signal.signal(signal.SIGTERM, stop)
    if wait_until_served(f"http://{settings.host}:{settings.port}", supervisor):
        announce(settings, password)
    elif supervisor.poll() is None:
        print(f"Soty has not answered on port {settings.port} within a minute; the messages above say why.", file=sys.stderr)
    code = supervisor.wait()
    for _source, target in places.binds:
        if target.is_dir() and not os.path.ismount(target):
            target.rmdir()
    return code


def announce(settings: Settings, password: str) -> None:
    """Tell where Soty is and, on the first start, how to get in."""
    print(f"\n  Soty: {settings.base_url}\n", flush=True)
    if password:
        print(
            f"  Administrator: admin\n  One-time password: {password}   (shown once; choose your own after signing in)\n",
            flush=True,
        )
    print("  Ctrl-C stops everything.\n", flush=True)


def main() -> int:
    """Entry of `./run`."""
    try:
        return serve(load_settings())
    except PlatformError as error:
        print(f"{error.message}\n{error.cure or ''}".rstrip(), file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
