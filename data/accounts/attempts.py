"""Failed attempts: counted so that nobody guesses a password, and so that no stranger locks anybody out.

A pause follows eight failed attempts and doubles with each further one. It holds for one user name *from one network
address*: what a stranger tries elsewhere does not concern whoever has the account. Two wider counts stop those who try
many names, or from many addresses: so many failures in ten minutes from an address, and for a name. A browser on which
somebody signed in before is *known* by a cookie and counted by itself alone, so even these keep nobody out of an
account that they use.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from data.accounts.tables import Account, SignInAttempt, TooManyAttempts
from data.base import audit, secrets
from data.base.access import Actor
from data.base.language import _

FREE = 8
FIRST_PAUSE_S = 15
LONGEST_PAUSE_S = 3600
#: How long failures count towards a pause.
REMEMBERED = timedelta(days=1)
WINDOW = timedelta(minutes=10)
PER_ADDRESS = 40
PER_NAME = 100


@dataclass(frozen=True)
class Tries:
    """What is counted together under ``key``: with growing pauses, or ``most`` in a ``WINDOW``."""

    key: bytes
    most: int | None = None

    def pause_s(self, instants: Sequence[datetime], now: datetime) -> float:
        """How long to wait after failures at ``instants``, oldest first."""
        if self.most is None:
            over = len(instants) - FREE
            if over < 0:
                return 0
            pause_s = min(FIRST_PAUSE_S * 2.0 ** min(over, 20), LONGEST_PAUSE_S)
            return pause_s - (now - instants[-1]).total_seconds()
        late = [at for at in instants if at > now - WINDOW]
        return (late[-self.most] + WINDOW - now).total_seconds() if len(late) >= self.most else 0


def of_sign_in(username: str, address: str) -> list[Tries]:
    """How attempts to sign in from an unknown browser are counted."""
    return [
        Tries(secrets.blind(f"user {username} from {address}")),
        Tries(secrets.blind(f"address {address}"), PER_ADDRESS),
        Tries(secrets.blind(f"user {username}"), PER_NAME),
    ]


def of_device(account: Account, nonce: str) -> list[Tries]:
    """How attempts to sign in from a browser that the account knows are counted."""
    return [Tries(secrets.blind(f"device {nonce} of {account.id}"))]


def of_own_password(account: Account) -> list[Tries]:
    """How attempts at one's own old password are counted."""
    return [Tries(secrets.blind(f"old password of {account.id}"))]


def admit(session: Session, tries: Sequence[Tries]) -> None:
    """Raise while there is a pause. Attempts that are counted together come here one after the other.

    Raises
    ------
    TooManyAttempts
    """
    now = datetime.now(UTC)
    # What will only be was counted by a clock that has been put back since, and would count for years.
    old, coming = SignInAttempt.at < now - REMEMBERED, SignInAttempt.at > now + WINDOW
    session.execute(delete(SignInAttempt).where(old | coming))
    session.execute(select(func.pg_advisory_xact_lock(int.from_bytes(tries[0].key[:8], signed=True))))
    rows = session.execute(
        select(SignInAttempt.key, SignInAttempt.at)
        .where(SignInAttempt.key.in_([one.key for one in tries]))
        .order_by(SignInAttempt.at)
    ).all()
    pause_s = max(one.pause_s([at for key, at in rows if bytes(key) == one.key], now) for one in tries)
    if pause_s > 0:
        raise TooManyAttempts(
            _("Too many attempts. Try again in {count} seconds.", count=round(pause_s) + 1), wait_s=round(pause_s) + 1
        )


def count(session: Session, tries: Sequence[Tries]) -> None:
    """Count a failed attempt."""
    session.add_all([SignInAttempt(key=one.key) for one in tries])
    session.flush()


def forgive(session: Session, tries: Sequence[Tries]) -> None:
    """Forget the failures that brought a pause: the right password came. Those of a whole address or name stay."""
    session.execute(delete(SignInAttempt).where(SignInAttempt.key.in_([one.key for one in tries if one.most is None])))


def record(session: Session, actor: Actor, account: Account | None, address: str = "") -> None:
    """Write a failed attempt to the audit, with a sign for where it came from: equal for equal addresses, no address.

    Of names that nobody has, the first one from an address in a while is written; the name may be a mistyped password.
    """
    if account is None:
        key, since = secrets.blind(f"address {address}"), datetime.now(UTC) - WINDOW
        if session.scalar(select(SignInAttempt.id).where(SignInAttempt.key == key, SignInAttempt.at > since).limit(1)):
            return
    changes = {"origin": [None, secrets.blind(f"origin {address}").hex()[:8]]} if address else {}
    audit.record(session, actor, "sign_in_failed", "account", account.id if account else None, changes=changes)
