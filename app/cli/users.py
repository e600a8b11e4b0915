"""`./soty users`: make accounts and tokens, see who is there, help people back in."""

from __future__ import annotations

import argparse
from typing import Any

from app.accounts import passwords
from app.accounts.model import Role, User
from app.cli.said import say, table
from app.cli.state import database
from app.settings import Settings
from app.wiring.accounts import Accounts, accounts


def register(commands: Any) -> None:
    """Add the command."""
    parser = commands.add_parser("users", help="make accounts and API tokens, roles, passwords")
    actions = parser.add_subparsers(dest="action", metavar="ACTION", required=True)
    add = actions.add_parser("add", help="make an account")
    add.add_argument("name")
    add.add_argument("--role", choices=[role.value for role in Role], default=Role.LEARNER.value)
    add.add_argument("--password", help="without it a one-time password is made and shown")
    add.add_argument("--email", default="")
    add.add_argument("--token", action="store_true", help="make an API token too; it alone goes to stdout")
    add.set_defaults(run=_on_accounts(_add))
    actions.add_parser("list", help="everybody").set_defaults(run=_on_accounts(_list))
    for name, action, text in (
        ("token", _token, "make another API token; it alone goes to stdout"),
        ("reset-password", _reset, "make a one-time password; ends all sign-ins and tokens"),
        ("role", _role, "give another role"),
        ("deactivate", _deactivate, "keep somebody out; what they did stays"),
        ("activate", _activate, "let somebody in again"),
    ):
        command = actions.add_parser(name, help=text)
        command.add_argument("name")
        if action is _role:
            command.add_argument("role", choices=[role.value for role in Role])
        if action is _token:
            command.add_argument("--label", default="command line")
        command.set_defaults(run=_on_accounts(action))


def _on_accounts(action: Any) -> Any:
    def run(arguments: argparse.Namespace, settings: Settings) -> int:
        with database(settings) as opened:
            room = accounts(opened)
            if arguments.action in ("add", "list"):
                action(arguments, room)
            else:
                action(arguments, room, room.users.named(arguments.name))
        return 0

    return run


def _add(arguments: argparse.Namespace, room: Accounts) -> None:
    password = arguments.password or passwords.one_time()
    user = room.users.add(
        arguments.name, password, email=arguments.email, role=Role(arguments.role),
        must_change_password=not arguments.password and not arguments.token,
    )  # fmt: skip
    say(f"Made {user.role} {user.name}.")
    if not arguments.password:
        say(f"Password: {password}" + ("   (to be changed at the first sign-in)" if user.must_change_password else ""))
    if arguments.token:
        print(room.tokens.create(user.id, "command line"))


def _list(_arguments: argparse.Namespace, room: Accounts) -> None:
    table(
        ("name", "role", "state", "made", "last seen"),
        (
            (user.name, user.role, "active" if user.active else "kept out", f"{user.created_at:%Y-%m-%d}",
             f"{user.seen_at:%Y-%m-%d %H:%M}Z" if user.seen_at else "never")
            for user in room.users.all()
        ),
    )  # fmt: skip


def _token(arguments: argparse.Namespace, room: Accounts, user: User) -> None:
    print(room.tokens.create(user.id, arguments.label))


def _reset(_arguments: argparse.Namespace, room: Accounts, user: User) -> None:
    password = room.users.reset_password(user.id, None)
    say(f"{user.name} signs in once with this password and then chooses another one:")
    print(password)


def _role(arguments: argparse.Namespace, room: Accounts, user: User) -> None:
    say(f"{user.name} is now {room.users.set_role(user.id, Role(arguments.role), None).role}.")


def _deactivate(_arguments: argparse.Namespace, room: Accounts, user: User) -> None:
    room.users.set_active(user.id, False, None)
    say(f"{user.name} is kept out from now on.")


def _activate(_arguments: argparse.Namespace, room: Accounts, user: User) -> None:
    room.users.set_active(user.id, True, None)
    say(f"{user.name} may sign in again.")
