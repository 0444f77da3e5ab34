"""Accounts: who signs in, with which roles, where; sessions and API tokens.

A *grant* gives an account a role at a unit and reaches down the tree. A role is a set of permissions. Roles and
permissions are rows; ``data/reference`` holds what a new installation begins with.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    UniqueConstraint,
    delete,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import units
from data.base import access, audit, db, listing, secrets, settings
from data.base.access import Actor, Area, Rows
from data.base.errors import Busy, Forbidden, Invalid, NotFound
from data.base.language import _

ATTEMPTS_PER_WINDOW = 8
ATTEMPT_WINDOW = timedelta(minutes=10)
PASSWORD_MIN = 10
#: The code of the demo's community (``data.demo.plan``), which begins as no real code does.
DEMO_COMMUNITY = "990106003012"


class SignInFailed(Forbidden):
    """The user name or the password is wrong. Which of the two is not told."""


class AccountNotFound(NotFound):
    """There is no such account, or it has no role in the actor's area."""


class GrantNotFound(NotFound):
    """The account has no such role."""


class TooManyAttempts(Busy):
    """Signing in was tried too often."""


class Account(db.Dated, db.Table):
    """Somebody who can sign in."""

    __tablename__ = "account"
    __read__ = "account.read"
    __table_args__ = (Index("uq_account_username", text("lower(username)"), unique=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    username: Mapped[str]
    name: Mapped[str]
    password_hash: Mapped[str]
    active: Mapped[bool] = mapped_column(server_default=text("true"))
    language: Mapped[str | None]

    @classmethod
    def within(cls, area: Area) -> ColumnElement[bool]:
        """An account is seen by whoever covers a unit it has a grant at."""
        return cls.id.in_(select(Grant.account_id).where(Grant.within(area)))


class Permission(db.Table):
    """Something that can be allowed."""

    __tablename__ = "permission"

    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]


class Role(db.Table):
    """A set of permissions with a name."""

    __tablename__ = "role"

    code: Mapped[str] = mapped_column(primary_key=True)
    name_zh: Mapped[str]
    name_en: Mapped[str]
    position: Mapped[int] = mapped_column(server_default="0")


class RolePermission(db.Table):
    """A role has a permission."""

    __tablename__ = "role_permission"

    role_code: Mapped[str] = mapped_column(
        ForeignKey("role.code", onupdate="CASCADE", ondelete="CASCADE"), primary_key=True
    )
    permission_code: Mapped[str] = mapped_column(ForeignKey("permission.code", onupdate="CASCADE"), primary_key=True)


class Grant(db.Dated, db.Table):
    """An account has a role at a unit and everything below it."""

    __tablename__ = "grant"
    __read__ = "account.read"
    __table_args__ = (UniqueConstraint("account_id", "role_code", "unit_id"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    role_code: Mapped[str] = mapped_column(ForeignKey("role.code", onupdate="CASCADE"))
    unit_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)

    @classmethod
    def within(cls, area: Area) -> ColumnElement[bool]:
        """A grant lies at its unit; units above the area are not inside it."""
        return cls.unit_id.in_(sorted(area.communities | area.grids))


class SignIn(db.Table):
    """A session of the web application; only the hash of its token is kept."""

    __tablename__ = "sign_in"
    __audited__ = False

    token_hash: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))
    expires_at: Mapped[datetime]


class ApiToken(db.Dated, db.Table):
    """A token by which a program acts for an account; only its hash is kept."""

    __tablename__ = "api_token"

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"), index=True)
    name: Mapped[str]
    token_hash: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    expires_at: Mapped[datetime | None]


class SignInAttempt(db.Table):
    """A failed attempt to sign in, kept for as long as it counts."""

    __tablename__ = "sign_in_attempt"
    __audited__ = False
    __table_args__ = (Index("ix_sign_in_attempt_key_at", "key", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    #: blind index of a user name or a network address, so that neither is stored
    key: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


db.sentences["uq_account_username"] = "Another account already has this user name."
db.sentences["uq_grant_account_id_role_code_unit_id"] = "The account already has this role there."


def check_password(password: str) -> None:
    """Raise unless ``password`` is good enough.

    Raises
    ------
    Invalid
        It is too short, or one character over and over.
    """
    if len(password) < PASSWORD_MIN or len(set(password)) < 4:
        raise Invalid(
            _("A password needs at least {count} characters that are not all alike.", count=PASSWORD_MIN),
            field="password",
        )


def actor(session: Session, account: Account, request_id: str | None = None) -> Actor:
    """``account`` as an actor: its permissions and where each holds. Runs on a session without walls."""
    rows = session.execute(
        select(Grant.unit_id, Grant.role_code, RolePermission.permission_code)
        .join(RolePermission, RolePermission.role_code == Grant.role_code)
        .where(Grant.account_id == account.id)
    ).all()
    units_by_permission: dict[str, set[int]] = {}
    for unit_id, _role, permission in rows:
        units_by_permission.setdefault(permission, set()).add(unit_id)
    areas: dict[frozenset[int], Area] = {}
    permissions = {}
    for permission, unit_ids in units_by_permission.items():
        key = frozenset(unit_ids)
        if key not in areas:
            areas[key] = units.expand(session, sorted(key))
        permissions[permission] = areas[key]
    return Actor(account_id=account.id, name=account.name, permissions=permissions, request_id=request_id)


def add(session: Session, actor: Actor, *, username: str, name: str, password: str) -> Account:
    """A new account without any role.

    Raises
    ------
    Invalid
        The user name or password is not acceptable.
    """
    access.require(actor, "account.edit")
    if not re.fullmatch(r"[\w.@-]{2,64}", username):
        raise Invalid(_("A user name has 2 to 64 letters, digits, dots, dashes or @."), field="username")
    check_password(password)
    account = Account(username=username, name=name.strip() or username, password_hash=secrets.password_hash(password))
    session.add(account)
    session.flush()
    return account


def give(session: Session, actor: Actor, *, account: Account, role_code: str, unit: units.Unit) -> Grant:
    """Give ``account`` a role at ``unit``; nobody can give away a permission they do not have there."""
    _require_over(session, actor, role_code, unit.id, unit.community_id)
    grant = Grant(account_id=account.id, role_code=role_code, unit_id=unit.id)
    session.add(grant)
    session.flush()
    return grant


def _require_over(session: Session, actor: Actor, role_code: str, unit_id: int, community_id: int | None) -> None:
    """Raise unless ``actor`` may give and take this role at this unit: has account.edit and all it permits there."""
    if session.get(Role, role_code) is None:
        raise Invalid(_("There is no role “{code}”.", code=role_code), field="role_code")
    if actor.is_system:
        return

    def holds(permission: str) -> bool:
        area = actor.area(permission)
        return area.everywhere or unit_id in area.communities | area.grids

    if not holds("account.edit"):
        access.require(actor, "account.edit", community_id or 0)
    wanted = session.scalars(select(RolePermission.permission_code).where(RolePermission.role_code == role_code))
    missing = sorted(permission for permission in wanted if not holds(permission))
    if missing:
        raise Forbidden(
            _("A role can only be given by somebody who has all of its permissions there."), missing=missing
        )


@dataclass(frozen=True, kw_only=True)
class Filter:
    """Which accounts: with a role, open or closed, with a text in user name or name."""

    role: str | None = None
    active: bool | None = None
    text: str | None = None


#: What accounts can be sorted by.
SORTS: dict[str, Any] = {
    "id": Account.id,
    "username": func.lower(Account.username),
    "name": Account.name,
    "updated": Account.updated_at,
}


def selection(actor: Actor, wanted: Filter | None = None) -> Rows:
    """The accounts the actor may see, a row each: the columns without the password's hash."""
    wanted = wanted or Filter()
    query = access.visible(select(*listing.columns(Account, without=("password_hash",))), actor, Account)
    if wanted.role:
        query = query.where(Account.id.in_(select(Grant.account_id).where(Grant.role_code == wanted.role)))
    if wanted.active is not None:
        query = query.where(Account.active.is_(wanted.active))
    if wanted.text:
        texts = (Account.username, Account.name)
        query = query.where(or_(*(listing.containing(column, wanted.text) for column in texts)))
    return query


def get(session: Session, actor: Actor, account_id: int) -> Account:
    """The account with this id.

    Raises
    ------
    AccountNotFound
    """
    found = session.scalar(access.visible(select(Account).where(Account.id == account_id), actor, Account))
    if found is None:
        raise AccountNotFound(_("Not found, or outside your area."))
    return found


def who_may(session: Session, permission: str, unit_id: int) -> list[Any]:
    """Everybody whose permission covers a unit: rows ``id, name, role_zh, role_en, level``, the nearest level first.

    Whom work can be given to. Runs for actors who were shown to handle records of the unit.
    """
    path = select(func.unnest(units.Unit.path)).where(units.Unit.id == unit_id)
    query = (
        select(
            Account.id, Account.name, Role.name_zh.label("role_zh"), Role.name_en.label("role_en"), units.Unit.level,
        )
        .join(Grant, Grant.account_id == Account.id)
        .join(Role, Role.code == Grant.role_code)
        .join(RolePermission, RolePermission.role_code == Role.code)
        .join(units.Unit, units.Unit.id == Grant.unit_id)
        .where(RolePermission.permission_code == permission, Grant.unit_id.in_(path), Account.active)
        .order_by(func.cardinality(units.Unit.path).desc(), Role.position, Account.id)
    )  # fmt: skip
    nearest: dict[int, Any] = {}
    for row in session.execute(query):
        nearest.setdefault(row.id, row)
    return list(nearest.values())


def require_over(session: Session, actor: Actor, account: Account) -> None:
    """Raise unless ``actor`` may manage ``account``: could have given it every role it has.

    Otherwise whoever manages one community could take over an account that works there and elsewhere.
    """
    access.require(actor, "account.edit")
    held = session.execute(
        select(Grant.role_code, Grant.unit_id, units.Unit.community_id)
        .join(units.Unit, units.Unit.id == Grant.unit_id)
        .where(Grant.account_id == account.id)
    ).all()
    for role_code, unit_id, community_id in held:
        _require_over(session, actor, role_code, unit_id, community_id)
    if not held:
        access.require_everywhere(actor, "account.edit")


def change(session: Session, actor: Actor, account: Account, **values: Any) -> Account:
    """Change name, language or ``active`` of an account; closing it ends its sessions. Runs without walls."""
    require_over(session, actor, account)
    if values.get("active") is False and account.id == actor.account_id:
        raise Invalid(_("One cannot close one's own account."), field="active")
    for name, value in values.items():
        setattr(account, name, value)
    if not account.active:
        session.execute(delete(SignIn).where(SignIn.account_id == account.id))
    session.flush()
    return account


def reset_password(session: Session, actor: Actor, account: Account, password: str) -> None:
    """Give somebody else's account a new password and end its sessions. Runs on a session without walls."""
    require_over(session, actor, account)
    set_password(session, account, password)


def take(session: Session, actor: Actor, account: Account, grant_id: int) -> None:
    """Take a role at a unit from an account.

    Raises
    ------
    GrantNotFound
    """
    grant = session.scalar(select(Grant).where(Grant.id == grant_id, Grant.account_id == account.id))
    if grant is None:
        raise GrantNotFound(_("Not found, or outside your area."))
    unit = session.get_one(units.Unit, grant.unit_id)
    _require_over(session, actor, grant.role_code, unit.id, unit.community_id)
    session.delete(grant)
    session.flush()


def sign_in(session: Session, *, username: str, password: str, address: str) -> tuple[Account, str]:
    """Check a password and open a session; returns the account and the session's token.

    Runs on a session without walls. A failed attempt is counted by user name and by address, in this transaction,
    so the caller lets it commit also when this raises.

    Raises
    ------
    TooManyAttempts
        More than eight failed attempts in ten minutes, for this user name or from this address.
    SignInFailed
        The user name or password is wrong, or the account is closed.
    """
    since = datetime.now(UTC) - ATTEMPT_WINDOW
    session.execute(delete(SignInAttempt).where(SignInAttempt.at < since))
    keys = [secrets.blind(f"user {username}"), secrets.blind(f"address {address}")]
    counts = dict(
        session.execute(
            select(SignInAttempt.key, func.count()).where(SignInAttempt.key.in_(keys)).group_by(SignInAttempt.key)
        ).all()
    )  # fmt: skip
    if counts.get(keys[0], 0) >= ATTEMPTS_PER_WINDOW or counts.get(keys[1], 0) >= 5 * ATTEMPTS_PER_WINDOW:
        raise TooManyAttempts(_("Too many attempts. Try again in ten minutes."))
    account = session.scalar(select(Account).where(func.lower(Account.username) == username.lower()))
    # A hash is computed also for an unknown name, so that the time taken does not tell who exists.
    right = secrets.password_matches(account.password_hash if account else _NOBODYS_HASH, password)
    if account is None or not right or not account.active:
        session.add_all([SignInAttempt(key=key) for key in keys])
        session.flush()
        raise SignInFailed(_("The user name or the password is wrong."))
    token = secrets.new_token()
    expires_at = datetime.now(UTC) + timedelta(hours=settings.get().session_hours)
    session.add(SignIn(token_hash=secrets.token_hash(token), account_id=account.id, expires_at=expires_at))
    audit.record(session, Actor(account_id=account.id), "sign_in", "account", account.id)
    session.flush()
    return account, token


_NOBODYS_HASH = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHRzb21lc2FsdA$Zm9ydHl0d29mb3J0eXR3b2ZvcnR5dHdvZm9ydHl0d28"


def by_username(session: Session, username: str) -> Account:
    """The account with this user name, whatever its case. Runs on a session without walls.

    Raises
    ------
    NotFound
    """
    found = session.scalar(select(Account).where(func.lower(Account.username) == username.lower()))
    if found is None:
        raise NotFound(_("There is no account “{name}”.", name=username))
    return found


def set_password(session: Session, account: Account, password: str) -> None:
    """Give an account a new password and close its sessions. The caller has checked that this is allowed."""
    check_password(password)
    account.password_hash = secrets.password_hash(password)
    session.execute(delete(SignIn).where(SignIn.account_id == account.id))
    session.flush()


def by_session(session: Session, token: str) -> Account | None:
    """The account a session's token stands for, if the session is still open. Runs on a session without walls."""
    return session.scalar(
        select(Account)
        .join(SignIn, SignIn.account_id == Account.id)
        .where(SignIn.token_hash == secrets.token_hash(token), SignIn.expires_at > func.now(), Account.active)
    )


def by_token(session: Session, token: str) -> Account | None:
    """The account an API token stands for, if it is still good. Runs on a session without walls."""
    good = (ApiToken.expires_at.is_(None)) | (ApiToken.expires_at > func.now())
    return session.scalar(
        select(Account)
        .join(ApiToken, ApiToken.account_id == Account.id)
        .where(ApiToken.token_hash == secrets.token_hash(token), good, Account.active)
    )


def prolong(session: Session, token: str) -> None:
    """Let an open session last for the full time again; written at most every five minutes."""
    expires_at = datetime.now(UTC) + timedelta(hours=settings.get().session_hours)
    worth_it = SignIn.expires_at < expires_at - timedelta(minutes=5)
    session.execute(
        update(SignIn).where(SignIn.token_hash == secrets.token_hash(token), worth_it).values(expires_at=expires_at)
    )


def sign_out(session: Session, token: str) -> None:
    """Close the session of a token."""
    session.execute(delete(SignIn).where(SignIn.token_hash == secrets.token_hash(token)))


def change_password(session: Session, actor: Actor, *, old: str, new: str, keep: str | None = None) -> None:
    """Change one's own password and close one's other sessions (all but the one with the token ``keep``).

    Raises
    ------
    Invalid
        The old password is wrong or the new one not acceptable.
    """
    account = session.get(Account, actor.account_id)
    if account is None:
        raise NotFound(_("Not found, or outside your area."))
    if not secrets.password_matches(account.password_hash, old):
        raise Invalid(_("The old password is wrong."), field="old")
    check_password(new)
    account.password_hash = secrets.password_hash(new)
    others = delete(SignIn).where(SignIn.account_id == account.id)
    session.execute(others.where(SignIn.token_hash != secrets.token_hash(keep)) if keep else others)
    session.flush()


def new_api_token(session: Session, actor: Actor, *, name: str, days: int | None = 365) -> tuple[ApiToken, str]:
    """A new API token for oneself; the token itself is shown this once."""
    if actor.account_id is None:
        raise Forbidden(_("Sign in first."))
    token = secrets.new_token()
    row = ApiToken(
        account_id=actor.account_id,
        name=name.strip() or "API",
        token_hash=secrets.token_hash(token),
        expires_at=datetime.now(UTC) + timedelta(days=days) if days else None,
    )
    session.add(row)
    session.flush()
    return row, token


def api_tokens(session: Session, actor: Actor) -> list[ApiToken]:
    """One's own API tokens, newest first."""
    own = select(ApiToken).where(ApiToken.account_id == actor.account_id)
    return list(session.scalars(own.order_by(ApiToken.created_at.desc(), ApiToken.id)))


def revoke_api_token(session: Session, actor: Actor, token_id: int) -> None:
    """Make one's own API token worthless.

    Raises
    ------
    NotFound
    """
    row = session.scalar(select(ApiToken).where(ApiToken.id == token_id, ApiToken.account_id == actor.account_id))
    if row is None:
        raise NotFound(_("Not found, or outside your area."))
    session.delete(row)
    session.flush()


def of_the_demo(session: Session) -> list[dict[str, Any]]:
    """``username, role_zh, role_en`` of the accounts that came with the demo community; none without it.

    They are those made in the one transaction that made the demo's community, so nobody else's name is among them.
    """
    rows = session.execute(
        select(Account.username, Role.name_zh, Role.name_en)
        .join(units.Unit, units.Unit.created_at == Account.created_at)
        .join(Grant, Grant.account_id == Account.id)
        .join(Role, Role.code == Grant.role_code)
        .where(units.Unit.code == DEMO_COMMUNITY, Account.active)
        .order_by(Role.position, Account.id)
    )
    return [{"username": row.username, "role_zh": row.name_zh, "role_en": row.name_en} for row in rows]


def roles(session: Session) -> list[Role]:
    """All roles, in the order of the list."""
    return list(session.scalars(select(Role).order_by(Role.position, Role.code)))


def grants(session: Session, account_id: int) -> list[dict[str, Any]]:
    """The grants of an account with role and unit names."""
    rows = session.execute(
        select(Grant.id, Grant.role_code, Role.name_zh, Role.name_en, units.Unit.id, units.Unit.code, units.Unit.name)
        .join(Role, Role.code == Grant.role_code)
        .join(units.Unit, units.Unit.id == Grant.unit_id)
        .where(Grant.account_id == account_id)
        .order_by(units.Unit.code)
    )
    names = ("id", "role_code", "role_zh", "role_en", "unit_id", "unit_code", "unit_name")
    return [dict(zip(names, row, strict=True)) for row in rows]


def roles_of(session: Session, actor: Actor, account_ids: Collection[int]) -> dict[int, list[tuple[str, str]]]:
    """Account id → the codes of its roles and the names of the units where it has them, as far as the actor sees."""
    query = (
        select(Grant.account_id, Grant.role_code, units.Unit.name)
        .join(units.Unit, units.Unit.id == Grant.unit_id)
        .where(Grant.account_id.in_(account_ids))
        .order_by(units.Unit.code)
    )
    found: dict[int, list[tuple[str, str]]] = {}
    for account_id, role_code, unit_name in session.execute(access.visible(query, actor, Grant)):
        found.setdefault(account_id, []).append((role_code, unit_name))
    return found
