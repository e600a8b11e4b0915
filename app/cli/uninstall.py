"""`./soty uninstall`: takes back what `./run` did to the machine as root. State and checkout are never touched."""

from __future__ import annotations

import argparse
import os
from typing import Any

from app.cli.said import say
from app.errors import Forbidden
from app.settings import Settings


def register(commands: Any) -> None:
    """Add the command."""
    text = "remove the two system accounts that ./run made as root; deletes no files"
    commands.add_parser("uninstall", help=text, description=text).set_defaults(run=_run)


def _run(_arguments: argparse.Namespace, settings: Settings) -> int:
    from app.launch.places import APP_ACCOUNT, LIVE_ACCOUNT, account_exists, remove_account

    present = [name for name in (LIVE_ACCOUNT, APP_ACCOUNT) if account_exists(name)]
    if present and os.geteuid() != 0:
        raise Forbidden(f"Only root can remove the accounts {' and '.join(present)}.", cure="sudo ./soty uninstall")
    for name in present:
        remove_account(name)
        say(f"Removed the account {name}.")
    if not present:
        say("There are no accounts of Soty on this machine.")
    say(f"Nothing was deleted in {settings.home}; remove it and this folder when you want them gone.")
    return 0
