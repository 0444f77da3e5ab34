"""What is remembered of accounts: who signs in, with which roles, where; sessions, tokens and failed attempts."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import ColumnElement, ForeignKey, Index, LargeBinary, UniqueConstraint, select, text
from sqlalchemy.orm import Mapped, mapped_column

from data.base import db
from data.base.access import Area
from data.base.errors import Busy, Forbidden, NotFound


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
    #: Out of reach of the role that people's transactions run as, so it is read only where it is asked for.
    password_hash: Mapped[str] = mapped_column(deferred=True)
    #: Whether somebody else gave the password, and so knows it: another one is chosen with the first sign-in.
    password_given: Mapped[bool] = mapped_column(server_default=text("false"))
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
    """An account has a role at a unit and everything below it; without a unit everywhere."""

    __tablename__ = "grant"
    __read__ = "account.read"
    __table_args__ = (UniqueConstraint("account_id", "role_code", "unit_id", postgresql_nulls_not_distinct=True),)

    id: Mapped[int] = mapped_column(primary_key=True)
    account_id: Mapped[int] = mapped_column(ForeignKey("account.id", ondelete="CASCADE"))
    role_code: Mapped[str] = mapped_column(ForeignKey("role.code", onupdate="CASCADE"))
    unit_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"), index=True)

    @classmethod
    def within(cls, area: Area) -> ColumnElement[bool]:
        """A grant lies at its unit; units above the area are not inside it, and what holds everywhere is not either."""
        return cls.unit_id.in_(sorted(area.whole))


class SignIn(db.Table):
    """A session of the web application; only the hash of its token is kept."""

    __tablename__ = "sign_in"
    __told__ = False
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
    used_on: Mapped[date | None]


class SignInAttempt(db.Table):
    """A failed attempt to sign in, kept for as long as it counts."""

    __tablename__ = "sign_in_attempt"
    __told__ = False
    __audited__ = False
    __table_args__ = (Index("ix_sign_in_attempt_key_at", "key", "at"),)

    id: Mapped[int] = mapped_column(primary_key=True)
    #: blind index of a user name or a network address, so that neither is stored
    key: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


db.sentences["uq_account_username"] = "Another account already has this user name."
db.sentences["uq_grant_account_id_role_code_unit_id"] = "The account already has this role there."
