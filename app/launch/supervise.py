"""The supervisor's configuration: four programs, restarted when they die, output on one stream."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.launch.places import APP_ACCOUNT, LIVE_ACCOUNT, Places
from app.settings import Settings

STOP_SECONDS = {"web": 8, "live": 5, "worker": 10, "sandboxd": 15}


@dataclass(frozen=True)
class Program:
    """One process of the product. `account` is None for the one that stays as it was started."""

    name: str
    argv: tuple[str, ...]
    account: str | None
    count: int = 1
    priority: int = 500  #: lower starts earlier and stops later


def programs(settings: Settings) -> tuple[Program, ...]:
    """What runs, in starting order."""
    web = ("-m", "gunicorn", "--worker-class", "gthread", "--workers", str(settings.web_workers),
           "--threads", str(settings.web_threads),
           "--bind", f"{settings.host}:{settings.port}", "--timeout", "60", "--graceful-timeout", "5", "--keep-alive", "5",
           "--no-control-socket", "--worker-tmp-dir", "/dev/shm", "--error-logfile", "-", "wsgi:app")  # fmt: skip  # noqa: S108
    return (
        Program("sandboxd", ("-m", "app.sandbox.daemon"), None, priority=100),
        Program("worker", ("-m", "app.worker"), APP_ACCOUNT, count=settings.workers, priority=300),
        Program("live", ("-m", "app.live"), LIVE_ACCOUNT, priority=400),
        Program("web", web, APP_ACCOUNT, priority=500),
    )


def command(program: Program, places: Places) -> tuple[str, ...]:
    """Full argv: through `drop.py`, so that the program dies with the supervisor, sees closed folders where accounts and pods
    can enter them and, as root, runs as its account."""
    drop = Path(__file__).with_name("drop.py")
    argv = [sys.executable, "-I", str(drop), "--umask", "077" if program.account == APP_ACCOUNT else "022"]
    for source, target in places.binds:
        argv += ["--bind", f"{source}:{target}"]
    if places.as_root and program.account:
        argv += ["--user", program.account]
    argv += ["--", str(places.seen(Path(sys.executable)))]
    return (*argv, *program.argv)


def quoted(text: str) -> str:
    """Escape for supervisor's own interpolation and shell-like splitting."""
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("%", "%%") + '"'


def configuration(
    settings: Settings, places: Places, environment: Mapping[str, str], chosen: Sequence[Program] | None = None
) -> str:
    """Text of the configuration file."""
    pairs = ",".join(f"{key}={quoted(value)}" for key, value in sorted(environment.items()))
    parts = [
        "[supervisord]\nnodaemon=true\nlogfile=/dev/null\nlogfile_maxbytes=0\nsilent=true\n"
        f"pidfile={places.home / 'run' / 'supervisord.pid'}\nidentifier=soty\nminfds=1024\n"
    ]
    for program in chosen or programs(settings):
        argv = " ".join(quoted(part) for part in command(program, places))
        name = program.name
        if program.count > 1:  # the supervisor puts the number of each process in
            name, argv = f"{name}-%(process_num)s", f"{argv} --slot %(process_num)s"
        parts.append(
            f"[program:{program.name}]\ncommand={argv}\nprocess_name={name}\nnumprocs={program.count}\n"
            f"directory={places.checkout}\nenvironment={pairs}\npriority={program.priority}\n"
            "autostart=true\nautorestart=true\nstartsecs=2\nstartretries=1000\n"
            f"stopsignal=TERM\nstopwaitsecs={STOP_SECONDS[program.name]}\nkillasgroup=true\n"
            "stdout_logfile=/dev/fd/1\nstdout_logfile_maxbytes=0\nstderr_logfile=/dev/fd/2\nstderr_logfile_maxbytes=0\n"
        )
    return "\n".join(parts)
