"""People: sign-up, sign-in, passwords, roles, the first admin."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email
from sqlalchemy import func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from app.accounts import audit, names, passwords, sign_ins, tokens
from app.accounts.faults import SENTENCES, FieldsInvalid
from app.accounts.model import Role, User
from app.db import Database
from app.errors import Conflict, InvalidInput, NotFound

LANGUAGES = ("ru", "en")
FIRST_ADMIN = "admin"


class WrongPassword(InvalidInput):
    """There is no account with this name and password."""

    code = "sign-in-failed"


class Users:
    """Everything that changes a person's account. Each method is one transaction and leaves an audit entry."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(
        self, name: str, password: str, *, email: str = "", role: Role = Role.LEARNER, language: str = "ru",
        must_change_password: bool = False, actor_id: str | None = None,
    ) -> User:  # fmt: skip
        """Create an account.

        Raises:
            FieldsInvalid: with every faulty field (`name`, `email`, `password`) at once.
        """
        faults = _drop_empty(
            name=names.fault(name), email=_email_fault(email), password=passwords.fault(password, name)
        )  # fmt: skip
        with self._database.read() as session:
            faults = _taken(session, names.key(name), _email(email)) | faults
        if faults:
            raise FieldsInvalid(faults)
        user = User(
            name=names.shown(name), name_key=names.key(name), email=_email(email), role=role, language=_language(language),
            password_hash=passwords.make_hash(password), must_change_password=must_change_password,
        )  # fmt: skip
        try:
            with self._database.transaction() as session:
                session.add(user)
                session.flush()
                audit.record(session, actor_id or user.id, "user.add", "user", user.id, name=user.name, role=role.value)
        except IntegrityError as error:  # somebody else was faster between the look and the leap
            raise FieldsInvalid({"name": "name-taken"}) from error
        return user

    def check(self, name: str, password: str) -> User:
        """The active person with this name and password; renews an outdated hash.

        Raises:
            WrongPassword: the same for an unknown name, a wrong password and a deactivated account.
        """
        with self._database.read() as session:
            user = session.scalars(select(User).where(User.name_key == names.key(name))).one_or_none()
        right = passwords.verify(user.password_hash if user else None, password)
        if user is None or not right or not user.active:
            raise WrongPassword
        if passwords.outdated(user.password_hash):
            fresh = passwords.make_hash(password)
            with self._database.transaction() as session:
                _load(session, user.id).password_hash = fresh
        return user

    def name_fault(self, name: str) -> str:
        """The sentence that says why nobody new can have this name; empty when they can."""
        with self._database.read() as session:
            taken = _taken(session, names.key(name), None)
        code = names.fault(name) or taken.get("name")
        return SENTENCES[code] if code else ""

    def get(self, user_id: str) -> User:
        """A person by id.

        Raises:
            NotFound: nobody has this id.
        """
        with self._database.read() as session:
            return _load(session, user_id)

    def named(self, name: str) -> User:
        """A person by name.

        Raises:
            NotFound: nobody has this name.
        """
        with self._database.read() as session:
            user = session.scalars(select(User).where(User.name_key == names.key(name))).one_or_none()
        if user is None:
            raise NotFound("Nobody has this name.", code="unknown-user")
        return user

    def all(self) -> list[User]:
        """Everybody, by role and name (the command line's list)."""
        with self._database.read() as session:
            return list(session.scalars(select(User).order_by(User.role, User.name_key)))

    def edit(self, user_id: str, *, name: str, email: str, language: str) -> User:
        """Change one's own name, e-mail address and language.

        Raises:
            FieldsInvalid: with every faulty field at once.
        """
        faults = _drop_empty(name=names.fault(name), email=_email_fault(email))
        if language not in LANGUAGES:
            faults["language"] = "language-unknown"
        try:
            with self._database.transaction() as session:
                faults = _taken(session, names.key(name), _email(email), but=user_id) | faults
                if faults:
                    raise FieldsInvalid(faults)
                user = _load(session, user_id)
                user.name, user.name_key, user.email = names.shown(name), names.key(name), _email(email)
                user.language = language
                audit.record(session, user_id, "user.edit", "user", user_id, name=user.name)
                return user
        except IntegrityError as error:
            raise FieldsInvalid({"name": "name-taken"}) from error

    def change_password(self, user_id: str, present: str, fresh: str, keep: str = "") -> None:
        """Set one's own password; every other signed-in browser is signed out.

        Args:
            keep: token hash of the sign-in that stays.

        Raises:
            FieldsInvalid: the present password is wrong or the new one breaks a rule.
        """
        user = self.get(user_id)
        if not passwords.verify(user.password_hash, present):
            raise FieldsInvalid({"present": "password-wrong"})
        fault = "password-same" if fresh == present else passwords.fault(fresh, user.name)
        if fault:
            raise FieldsInvalid({"password": fault})
        stored = passwords.make_hash(fresh)
        with self._database.transaction() as session:
            user = _load(session, user_id)
            user.password_hash, user.must_change_password = stored, False
            sign_ins.end_all(session, user_id, but=keep)
            audit.record(session, user_id, "user.password", "user", user_id)

    def reset_password(self, user_id: str, actor_id: str | None) -> str:
        """Give a person a one-time password, to be shown once; ends all sign-ins and tokens of theirs."""
        password = passwords.one_time()
        stored = passwords.make_hash(password)
        with self._database.transaction() as session:
            user = _load(session, user_id)
            user.password_hash, user.must_change_password = stored, True
            sign_ins.end_all(session, user_id)
            tokens.revoke_all(session, user_id)
            audit.record(session, actor_id, "user.reset-password", "user", user_id)
        return password

    def set_role(self, user_id: str, role: Role, actor_id: str | None) -> User:
        """Give a person another role; they sign in anew.

        Raises:
            Conflict: this is the last active admin.
        """
        with self._database.transaction() as session:
            user = _load(session, user_id)
            if user.role is Role.ADMIN and role is not Role.ADMIN:
                _keep_an_admin(session, user)
            if user.role is not role:
                audit.record(session, actor_id, "user.role", "user", user_id, old=user.role.value, new=role.value)
                user.role = role
                sign_ins.end_all(session, user_id)
            return user

    def set_active(self, user_id: str, active: bool, actor_id: str | None) -> User:
        """Let a person in, or keep them out; what they did stays.

        Raises:
            Conflict: this is the last active admin.
        """
        with self._database.transaction() as session:
            user = _load(session, user_id)
            if not active:
                _keep_an_admin(session, user)
                sign_ins.end_all(session, user_id)
            if user.active is not active:
                audit.record(session, actor_id, "user.activate" if active else "user.deactivate", "user", user_id)
                user.active = active
            return user

    def ensure_admin(self) -> str | None:
        """Create the account `admin` where there is no account at all; returns its one-time password, else None."""
        with self._database.read() as session:
            if session.scalar(select(func.count()).select_from(User)):
                return None
        password = passwords.one_time()
        try:
            self.add(FIRST_ADMIN, password, role=Role.ADMIN, must_change_password=True)
        except FieldsInvalid:  # another starter made it in this moment
            return None
        return password


def _load(session: Session, user_id: str) -> User:
    user = session.get(User, user_id)
    if user is None:
        raise NotFound
    return user


def _keep_an_admin(session: Session, user: User) -> None:
    others = select(func.count()).where(User.role == Role.ADMIN, User.active, User.id != user.id)
    if user.role is Role.ADMIN and not session.scalar(others):
        raise Conflict("This is the last admin.", code="last-admin", cure="Make somebody else an admin first.")


def _taken(session: Session, name_key: str, email: str | None, but: str = "") -> dict[str, str]:
    query = select(User.name_key, User.email).where((User.name_key == name_key) | (User.email == email), User.id != but)
    rows = session.execute(query).all()
    return _drop_empty(
        name="name-taken" if any(key == name_key for key, _ in rows) else None,
        email="email-taken" if email and any(other == email for _, other in rows) else None,
    )


def _email(text: str) -> str | None:
    """The address as stored: normalised, lower case, None for none (or for one that `_email_fault` refuses)."""
    try:
        return validate_email(text.strip(), check_deliverability=False).normalized.lower() if text.strip() else None
    except EmailNotValidError:
        return None


def _email_fault(text: str) -> str | None:
    return "email-invalid" if text.strip() and _email(text) is None else None


def _language(text: str) -> str:
    return text if text in LANGUAGES else LANGUAGES[0]


def _drop_empty(**faults: str | None) -> dict[str, str]:
    return {field: code for field, code in faults.items() if code}
