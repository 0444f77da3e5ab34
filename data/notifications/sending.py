"""Sending: what waits to leave the house, by e-mail (SMTP) or to a group robot (WeCom, DingTalk).

A message is written in the transaction of what it tells of, so it exists if and only if that happened. It is then sent
*at least once*: it is claimed, sent and marked as sent, each step committed. Whoever dies before sending has claimed it
for ``LEASE`` only; whoever dies between sending and marking sends it a second time then. In all other cases it comes
once. An e-mail keeps its Message-ID, so that mail programs show a second copy as the same; robots know no such thing.
What fails is tried again after 1, 5, 30 minutes, 2 and 6 hours, then given up, and stays on record with the reason.

Nothing personal leaves: case number, category, grid, the word for what happened, and a link that asks to sign in.

Sources: RFC 5322 (Message-ID, 3.6.4); WeCom, group robots (https://developer.work.weixin.qq.com/document/path/91770);
DingTalk, custom robots, signature (https://open.dingtalk.com/document/robots/customize-robot-security-settings).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import http.client
import json
import logging
import smtplib
import socket
import ssl
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.message import EmailMessage
from typing import Any
from urllib.parse import quote_plus, urlsplit

from sqlalchemy import Select, func, select, text
from sqlalchemy.orm import Session

from data.accounts import Account
from data.base import access, db, language, secrets, settings
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.jobs import Job
from data.base.language import _
from data.notifications.tables import Channel, Form, NoticeChoice, Outgoing, Sending, Webhook
from data.notifications.telling import is_due
from data.notifications.words import sentence

log = logging.getLogger("wangge.notifications")

LEASE = timedelta(minutes=5)
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (1, 5, 30, 120, 360))
#: How long the other side may be silent, and how long one message may take in all, however busily it answers.
TIMEOUT_S, DEADLINE_S = 10, 30
#: After how long messages to a server that cannot be reached are tried again; only one of them waits for it.
AWAY = timedelta(minutes=1)
#: Both robots take 20 messages a minute and are silent for a while after more.
ROBOT_PER_MINUTE = 18
_ANSWER_BYTES = 10_000

#: What is raised when a server does not answer, or not in time. A message that it refuses is another matter.
_UNREACHABLE = (
    TimeoutError,
    ConnectionError,
    socket.gaierror,
    ssl.SSLError,
    smtplib.SMTPServerDisconnected,
    smtplib.SMTPConnectError,
    http.client.BadStatusLine,
    http.client.IncompleteRead,
)

Transactions = Callable[[Actor], AbstractContextManager[Session]]


class NotSent(Exception):
    """The other side did not take a message; the reason is fit to be kept."""


@dataclass(frozen=True)
class Letter:
    """A message as it goes out."""

    id: int
    key: str
    channel: str
    subject: str
    text: str
    #: the address of the mailbox or of the robot
    to: str
    form: str | None = None
    secret: str | None = None

    @property
    def server(self) -> str:
        """Which server takes it."""
        return "mail" if self.channel == Channel.EMAIL else urlsplit(self.to).netloc


def perform(
    _session: Session,
    _actor: Actor,
    job: Job,
    progress: Callable[..., None],
    transaction: Transactions = db.transaction,
) -> dict[str, Any]:
    """The job: send whatever is due, one after the other, each in transactions of its own."""
    sent = failed = 0
    away: set[str] = set()
    while letter := claim(transaction):
        if letter.server in away:
            _put_off(letter, transaction)
            continue
        if deliver(letter, transaction, away):
            sent += 1
        else:
            failed += 1
        progress("Sending", sent + failed, None)
    return {"sent": sent, "failed": failed}


def _put_off(letter: Letter, transaction: Transactions) -> None:
    """Give a message back that was not tried: its server has just let another one wait in vain."""
    with transaction(access.SYSTEM) as session:
        row = session.get(Outgoing, letter.id)
        if row is not None:
            row.state, row.next_at, row.attempts = Sending.WAITING, datetime.now(UTC) + AWAY, row.attempts - 1


def claim(transaction: Transactions = db.transaction) -> Letter | None:
    """Take the next message for ``LEASE``; ``None`` when none is due. What has lost its receiver is given up."""
    while True:
        with transaction(access.SYSTEM) as session:
            row = session.scalar(_next(datetime.now(UTC)))
            if row is None:
                return None
            if letter := _letter(session, row):
                row.state, row.next_at = Sending.SENDING, datetime.now(UTC) + LEASE
                row.attempts += 1
                return letter
            row.state, row.detail = Sending.FAILED, _("The receiver is gone.")


def _next(now: datetime) -> Select[Outgoing]:
    """The message that is due longest, of those whose receiver takes more just now and that nobody else takes."""
    busy = (
        select(Outgoing.webhook_id)
        .where(Outgoing.webhook_id.is_not(None), Outgoing.sent_at.between(now - timedelta(minutes=1), now + PAUSES[-1]))
        .group_by(Outgoing.webhook_id)
        .having(func.count() >= ROBOT_PER_MINUTE)
    )
    return (
        select(Outgoing)
        .where(Outgoing.state.in_((Sending.WAITING, Sending.SENDING)), is_due(now))
        .where(Outgoing.webhook_id.is_(None) | Outgoing.webhook_id.not_in(busy))
        .order_by(Outgoing.next_at, Outgoing.id)
        .limit(1)
        .with_for_update(skip_locked=True)
    )


def deliver(letter: Letter, transaction: Transactions = db.transaction, away: set[str] | None = None) -> bool:
    """Send a message and note how that went; tells whether it was taken. Who cannot be reached is added to ``away``."""
    try:
        if letter.channel == Channel.EMAIL:
            _mail(letter)
        else:
            _post(letter)
        reason = None
    except NotSent as error:
        reason = str(error)
    except Exception as error:  # whatever a server's answer brings about, the next message is not kept from going out
        # The kind of the failure: its words may repeat an address.
        reason = type(error).__name__
        if away is not None and isinstance(error, _UNREACHABLE):
            away.add(letter.server)
    with transaction(access.SYSTEM) as session:
        row = session.get(Outgoing, letter.id)
        if row is None:
            return reason is None
        if reason is None:
            row.state, row.sent_at, row.detail = Sending.SENT, datetime.now(UTC), None
        elif row.attempts > len(PAUSES):
            row.state, row.detail = Sending.FAILED, reason
        else:
            row.state, row.detail = Sending.WAITING, reason
            row.next_at = datetime.now(UTC) + PAUSES[row.attempts - 1]
    if reason:
        log.warning("Message %s was not sent: %s", letter.id, reason)
    return reason is None


_FACTS = text(
    """
    SELECT i.number, c.name_zh, c.name_en, g.name AS grid, u.name AS community
    FROM incident i JOIN category c ON c.code = i.category_code JOIN unit u ON u.id = i.community_id
    LEFT JOIN unit g ON g.id = i.grid_id WHERE i.id = :incident
    """
)


def _letter(session: Session, row: Outgoing) -> Letter | None:
    """A message in the language of who gets it; ``None`` when the receiver is gone or its address cannot be read."""
    form = secret = None
    spoken: str | None = settings.get().language
    if row.channel == Channel.EMAIL:
        account = session.get(Account, row.account_id)
        choice = session.get(NoticeChoice, row.account_id)
        if account is None or not account.active or choice is None or not choice.email:
            return None
        to, spoken = choice.email, account.language or spoken
    else:
        hook = session.get(Webhook, row.webhook_id)
        if hook is None or not hook.active:
            return None
        to, form, secret = hook.address, hook.form, hook.secret
    if isinstance(to, secrets.Unreadable) or isinstance(secret, secrets.Unreadable):
        return None  # nobody is reached at an address that cannot be read
    facts = session.execute(_FACTS, {"incident": row.incident_id}).one()
    with language.using(spoken or "zh"):
        category = language.named(facts)
        subject = _("[{number}] {what}: {category}", number=facts.number, what=sentence(row.kind), category=category)
        body = _(
            "{what}\nCase {number}, {category}\n{grid}, {community}",
            what=sentence(row.kind),
            number=facts.number,
            category=category,
            grid=facts.grid or _("no grid yet"),
            community=facts.community,
        )
    return Letter(row.id, row.key, row.channel, subject, f"{body}\n{link(row.incident_id)}", to, form, secret)


def link(incident_id: int) -> str:
    """The address of a case's page."""
    found = settings.get()
    return f"{found.public_url or f'http://{found.host}:{found.port}'}/incidents/{incident_id}"


def _mail(letter: Letter) -> None:
    configured = settings.get()
    if not configured.smtp_host:
        raise NotSent(_("WANGGE_SMTP_HOST is not set."))
    message = EmailMessage()
    message["Subject"] = letter.subject
    message["From"] = configured.smtp_from or f"wangge@{configured.smtp_host}"
    message["To"] = letter.to
    name = hashlib.sha256(letter.key.encode()).hexdigest()[:32]
    message["Message-ID"] = f"<{name}@{urlsplit(link(0)).hostname}>"
    message["Date"] = datetime.now(UTC)
    message["Auto-Submitted"] = "auto-generated"
    message.set_content(letter.text)
    server: smtplib.SMTP = (
        smtplib.SMTP_SSL(timeout=TIMEOUT_S, context=ssl.create_default_context())
        if configured.smtp_security == "tls"
        else smtplib.SMTP(timeout=TIMEOUT_S)
    )
    # What the certificate has to be for; given to the constructor it would connect there, where nobody can hang up.
    server._host = configured.smtp_host  # type: ignore[attr-defined]
    try:
        with _in_time(lambda: server.sock):
            code, _words = server.connect(configured.smtp_host, configured.smtp_port)
            if code != 220:
                raise NotSent(f"SMTP {code}")
            if configured.smtp_security == "starttls":
                server.starttls(context=ssl.create_default_context())
            if configured.smtp_user:
                server.login(configured.smtp_user, configured.smtp_password or "")
            server.send_message(message)
            with suppress(smtplib.SMTPException, OSError):
                server.quit()  # it has the message, however it takes its leave
    finally:
        server.close()


@contextmanager
def _in_time(connection: Callable[[], socket.socket | None]) -> Iterator[None]:
    """Hang up when the block takes too long: a server that says a word now and then is never silent for long."""

    def hang_up() -> None:
        if (open_one := connection()) is not None:
            with suppress(OSError):
                # Not by the method of TLS, which may be at work in the other thread.
                socket.socket.shutdown(open_one, socket.SHUT_RDWR)

    timer = threading.Timer(DEADLINE_S, hang_up)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def check_address(address: str) -> str:
    """The address of a robot, if messages may be sent there: to hosts that the settings name, and over HTTPS.

    A host may be named with ``http://`` in front where a gateway of one's own network has no certificate. Without this
    whoever edits robots could have the server speak to any machine in its network.

    Raises
    ------
    Invalid
    """
    parts = urlsplit(address)
    allowed = {one.strip().lower() for one in settings.get().webhook_hosts.split(",") if one.strip()}
    place = parts.netloc.lower()
    if parts.scheme == "https" and place in allowed:
        return address
    if parts.scheme == "http" and f"http://{place}" in allowed:
        return address
    raise Invalid(
        _("The address has to begin with https:// and one of: {hosts}.", hosts=", ".join(sorted(allowed)) or "—"),
        field="address",
    )


def signed(address: str, secret: str, at: datetime) -> str:
    """A DingTalk robot's address with its signature: HMAC-SHA-256 over the time in ms, a line end and the key.

    Source: DingTalk, custom robots, security settings (加签).

    >>> at = datetime(2026, 3, 17, 1, 0, tzinfo=UTC)
    >>> signed("https://oapi.dingtalk.com/robot/send?access_token=a", "SECb", at)[-78:]
    '=a&timestamp=1773709200000&sign=8y6Gw30Z3kQjY4CKESP4bO2HLmXOOnE5AjIjbFhkw0c%3D'
    """
    time_ms = round(at.timestamp() * 1000)
    digest = hmac.new(secret.encode(), f"{time_ms}\n{secret}".encode(), hashlib.sha256).digest()
    joint = "&" if "?" in address else "?"
    return f"{address}{joint}timestamp={time_ms}&sign={quote_plus(base64.b64encode(digest))}"


def _post(letter: Letter) -> None:
    address = check_address(letter.to)
    if letter.form == Form.DINGTALK and letter.secret:
        address = signed(address, letter.secret, datetime.now(UTC))
    parts = urlsplit(address)
    kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
    body = json.dumps({"msgtype": "text", "text": {"content": letter.text}}, ensure_ascii=False).encode()
    connection = kind(parts.hostname or "", parts.port, timeout=TIMEOUT_S)
    try:
        with _in_time(lambda: connection.sock):
            # No redirect is followed: only the hosts of the settings are spoken to.
            connection.request("POST", f"{parts.path}?{parts.query}", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            said = answer.read(_ANSWER_BYTES)
    finally:
        connection.close()
    if answer.status != 200:
        raise NotSent(f"HTTP {answer.status}")
    try:
        code = json.loads(said).get("errcode", 0)
    except (ValueError, AttributeError):
        raise NotSent("HTTP 200, no JSON") from None
    if code != 0:
        raise NotSent(f"errcode {code}")
