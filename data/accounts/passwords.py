"""Passwords: which are good enough, and how they are changed and reset.

Whether a password can be guessed is judged by zxcvbn, which knows the passwords that were leaked most, names, words,
dates and the rows of a keyboard. It has to withstand 10⁸ guesses; trying is slowed down besides (``attempts``). With
a password its account's sessions and API tokens end: whoever had them may be why it is changed.
"""

from __future__ import annotations

import re

from sqlalchemy import delete
from sqlalchemy.orm import Session

from data.accounts import attempts
from data.accounts.granting import require_over
from data.accounts.tables import Account, SignIn
from data.accounts.tokens import end_tokens
from data.base import access, secrets
from data.base.access import Actor
from data.base.errors import Invalid, NotFound
from data.base.language import _

PASSWORD_MIN = 10
GUESSES_MIN = 10**8
#: zxcvbn looks at no more; what follows only makes a password better.
_JUDGED = 72
#: Words that lie at hand here, beside the user's own names.
_AT_HAND = ("wangge", "网格", "shequ", "社区", "jiedao", "zhongguo", "woaini", "woaizhongguo", "mima")


class WrongPassword(Invalid):
    """The old password is wrong."""


def check_password(password: str, *names: str) -> None:
    """Raise unless ``password`` is good enough for somebody with these names.

    Raises
    ------
    Invalid
        It is too short, or can be guessed.
    """
    if len(password) < PASSWORD_MIN or len(set(password)) < 4:
        raise Invalid(
            _("A password needs at least {count} characters that are not all alike.", count=PASSWORD_MIN),
            field="password",
        )
    # Digits alone are a telephone number, a birthday or the number of an identity card.
    if password.isdecimal() or _guesses(password, names) < GUESSES_MIN:
        raise Invalid(
            _("This password is easy to guess. Take several words that do not belong together, or random characters."),
            field="password",
        )


def _guesses(password: str, names: tuple[str, ...]) -> int:
    from zxcvbn import zxcvbn  # reads its lists: not before somebody chooses a password

    parts = {part for name in names for part in (name, *re.split(r"[\W_]+", name)) if part}
    return int(zxcvbn(password[:_JUDGED], user_inputs=[*_AT_HAND, *sorted(parts)])["guesses"])


def set_password(session: Session, account: Account, password: str, *, given: bool = False) -> None:
    """Give an account a new password and end its sessions and tokens. The caller has checked that this is allowed.

    ``given`` says that it is somebody else's, and has to be changed.
    """
    check_password(password, account.username, account.name)
    session.refresh(account, ["password_hash"])  # so that the audit says that there was one before
    account.password_hash, account.password_given = secrets.password_hash(password), given
    session.execute(delete(SignIn).where(SignIn.account_id == account.id))
    end_tokens(session, account)


def reset_password(session: Session, actor: Actor, account: Account, password: str) -> None:
    """Give somebody else's account a new password, to be changed with the next sign-in; its sessions and tokens end.

    Runs on a session without walls.
    """
    require_over(session, actor, account)
    set_password(session, account, password, given=account.id != actor.account_id)


def change_password(session: Session, actor: Actor, *, old: str, new: str, keep: str | None = None) -> None:
    """Change one's own password; tokens and other sessions end (all but the one with the token ``keep``).

    Runs on a session without walls. A wrong old password is counted in this transaction, so the caller lets it commit
    also when this raises.

    Raises
    ------
    WrongPassword, TooManyAttempts
        The old password is wrong, or was tried too often.
    Invalid
        The new one is not acceptable.
    """
    access.require_person(actor)
    account = session.get(Account, actor.account_id)
    if account is None:
        raise NotFound(_("Not found, or outside your area."))
    tries = attempts.of_own_password(account)
    attempts.admit(session, tries)
    if not secrets.password_matches(account.password_hash, old):
        attempts.count(session, tries)
        attempts.record(session, actor, account)
        raise WrongPassword(_("The old password is wrong."), field="old")
    attempts.forgive(session, tries)
    check_password(new, account.username, account.name)
    if new == old:
        raise Invalid(_("This is the present password. Choose another one."), field="password")
    account.password_hash, account.password_given = secrets.password_hash(new), False
    others = delete(SignIn).where(SignIn.account_id == account.id)
    session.execute(others.where(SignIn.token_hash != secrets.token_hash(keep)) if keep else others)
    end_tokens(session, account)
