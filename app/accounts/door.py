"""The front door: a sign-in with its limits, so that no delivery layer can forget one."""

from __future__ import annotations

from app.accounts import limits, names
from app.accounts.limits import Limits
from app.accounts.lockout import Lockout
from app.accounts.model import User
from app.accounts.users import Users

FREE_HERE = 5  #: failed tries for a name from one address
FREE_EVERYWHERE = 20  #: failed tries for a name from all browsers that nobody knows


class Door:
    """Checks a name and password.

    Guesses at a name from many addresses make strangers wait, never the person themselves: a browser that once signed in
    with this name is known and has a count of its own.
    """

    def __init__(self, users: Users, rates: Limits, lockout: Lockout) -> None:
        self._users = users
        self._rates = rates
        self._lockout = lockout

    def enter(self, name: str, password: str, address: str, known_browser: str = "") -> User:
        """The person who may come in.

        Args:
            address: of the client.
            known_browser: mark of a browser that signed in with this very name before, else empty.

        Raises:
            WrongPassword: no active account has this name and password.
            TooMany: too many tries; `retry_after` says how long to wait.
        """
        self._rates.take(limits.SIGN_IN, address)
        key = names.key(name)
        tries = [("browser", known_browser, key)] if known_browser else [("here", address, key), ("name", key)]
        for who in tries:
            self._lockout.take(who, FREE_EVERYWHERE if who[0] == "name" else FREE_HERE)
        user = self._users.check(name, password)
        self._lockout.forgive(*tries)
        return user
