"""Who is told what, once; what leaves the house: said to a mail server and to group robots, at least once, retried."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import socket
import socketserver
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from data import accounts, incidents, notifications
from data.base import access, db, language, settings
from data.base.access import Actor
from data.base.errors import Forbidden, Invalid, NotFound
from data.base.jobs import Job
from data.base.settings import Settings
from data.incidents import Action, Incident
from data.notifications import Kind, Notification, Outgoing, Sending, sending
from tests.api.conftest import on_connection
from tests.city import City


@dataclass
class Staff:
    """The people around grid A1."""

    city: City
    leader: Actor
    staff: Actor
    street: Actor

    def told(self, kind: str | None = None) -> dict[str, list[str]]:
        """Who was told what, oldest first."""
        names = {self.leader.account_id: "leader", self.staff.account_id: "staff", self.street.account_id: "street"}
        found: dict[str, list[str]] = {}
        for row in self.city.session.scalars(select(Notification).order_by(Notification.id)):
            if kind in (None, row.kind):
                found.setdefault(names[row.account_id], []).append(row.kind)
        return found


@pytest.fixture
def staff(session: Session) -> Staff:
    city = City.make(session)
    return Staff(
        city,
        city.actor("grid_leader", city.grids["A1"]),
        city.actor("community_staff", city.community),
        city.actor("supervisor", city.street),
    )


def act(staff: Staff, actor: Actor, incident: Incident, action: Action, **more: Any) -> None:
    incidents.act(staff.city.session, actor, incident, action, **more)


def test_the_leader_of_the_grid_is_told_of_a_new_case_and_nobody_else(staff: Staff) -> None:
    staff.city.incident(50, 50)
    assert staff.told() == {"leader": ["reported"]}


def test_nobody_is_told_of_their_own_act(staff: Staff) -> None:
    city = staff.city
    incident = incidents.report(
        city.session,
        staff.leader,
        community=city.community,
        category_code="facility.corridor_light",
        building_id=city.buildings["A1"].id,
    )
    assert staff.told() == {}
    act(staff, staff.leader, incident, Action.TRIAGE)
    assert incident.assignee_id == staff.leader.account_id
    assert staff.told() == {}


def test_where_no_leader_is_the_next_level_is_told(staff: Staff) -> None:
    staff.city.incident(150, 150)
    assert staff.told() == {"staff": ["reported"]}


def test_a_case_without_a_grid_is_told_to_the_community(staff: Staff) -> None:
    staff.city.incident(5000, 5000)
    assert staff.told() == {"staff": ["reported"]}


def test_whoever_gets_a_case_is_told(staff: Staff) -> None:
    incident = staff.city.incident(50, 50)
    act(staff, staff.staff, incident, Action.TRIAGE, tier=incidents.Tier.GRID)
    assert staff.told() == {"leader": ["reported", "assigned"]}
    act(staff, staff.street, incident, Action.ASSIGN, assignee_id=staff.staff.account_id)
    assert staff.told("assigned") == {"leader": ["assigned"], "staff": ["assigned"]}


def test_an_urgent_case_is_told_all_the_way_up(staff: Staff) -> None:
    incident = staff.city.incident(50, 50)
    act(staff, staff.leader, incident, Action.TRIAGE, tier=incidents.Tier.STREET)
    assert staff.told("urgent") == {"staff": ["urgent"], "street": ["urgent"]}


def test_what_is_urgent_by_its_category_is_told_at_once_to_community_and_street_and_only_once(staff: Staff) -> None:
    incident = staff.city.incident(50, 50, category_code="safety.gas")
    everybody = {"leader": ["urgent"], "staff": ["urgent"], "street": ["urgent"]}
    assert staff.told() == everybody, "before anybody has triaged it"
    act(staff, staff.leader, incident, Action.TRIAGE)
    act(staff, staff.leader, incident, Action.TRIAGE, tier=incidents.Tier.STREET)
    assert staff.told("urgent") == everybody
    assert staff.city.session.get(notifications.CaseWatch, incident.id) is not None


def test_whoever_gets_an_urgent_case_is_told_of_it_once(staff: Staff) -> None:
    incident = staff.city.incident(50, 50)
    act(staff, staff.leader, incident, Action.TRIAGE, tier=incidents.Tier.STREET)
    assert incident.assignee_id == staff.street.account_id
    assert staff.told()["street"] == ["urgent"]


def test_whoever_is_not_shown_urgent_cases_is_shown_that_one_was_assigned(staff: Staff) -> None:
    notifications.choose(staff.city.session, staff.street, email=None, app_off=["urgent"], email_on=[])
    incident = staff.city.incident(50, 50)
    act(staff, staff.leader, incident, Action.TRIAGE, tier=incidents.Tier.STREET)
    assert staff.told()["street"] == ["assigned"]


def test_a_case_that_climbs_is_told_where_it_arrives(staff: Staff) -> None:
    incident = staff.city.incident(50, 50)
    act(staff, staff.staff, incident, Action.TRIAGE, tier=incidents.Tier.GRID)
    act(staff, staff.leader, incident, Action.ESCALATE)
    assert staff.told("escalated") == {"staff": ["escalated"]}
    act(staff, staff.staff, incident, Action.ESCALATE)
    assert staff.told("escalated") == {"leader": ["escalated"], "staff": ["escalated"], "street": ["escalated"]}


def test_the_same_occasion_is_told_once(staff: Staff) -> None:
    incident = staff.city.incident(50, 50)
    for _again in range(3):
        notifications.tell(staff.city.session, incident, Kind.OVERDUE, occasion="overdue:0")
    assert staff.told("overdue") == {"leader": ["overdue"], "staff": ["overdue"]}
    notifications.tell(staff.city.session, incident, Kind.OVERDUE, occasion="overdue:3")
    assert staff.told("overdue") == {"leader": ["overdue"] * 2, "staff": ["overdue"] * 2}


def test_what_is_nobodys_concern_tells_nobody(staff: Staff) -> None:
    incident = staff.city.incident(50, 50)
    assert notifications.tell(staff.city.session, incident, "note", occasion=1) == []


def test_a_closed_account_and_one_that_sees_no_cases_are_not_told(staff: Staff) -> None:
    city = staff.city
    city.session.get_one(accounts.Account, staff.leader.account_id).active = False
    auditor = city.actor("auditor", city.community)
    notifications.set_rules(
        city.session, access.SYSTEM, {"reported": {"auditor": "always", "grid_leader": "level", "supervisor": "level"}}
    )
    city.incident(50, 50)
    assert staff.told() == {"street": ["reported"]}
    assert auditor.account_id is not None


def test_a_kind_that_is_switched_off_is_not_shown(staff: Staff) -> None:
    notifications.choose(staff.city.session, staff.leader, email=None, app_off=["reported"], email_on=[])
    staff.city.incident(50, 50)
    assert staff.told() == {}


def test_ones_notifications_are_ones_own_and_go_with_ones_area(staff: Staff) -> None:
    city, session = staff.city, staff.city.session
    city.incident(50, 50)
    city.incident(60, 60)
    (first, second) = session.execute(notifications.selection(staff.leader)).all()
    assert (first.number, first.category_zh, first.grid_name) == ("20260317-001", "楼道灯不亮", "A1")
    assert notifications.unread(session, staff.leader) == 2
    assert notifications.unread(session, staff.staff) == 0
    with pytest.raises(NotFound):
        notifications.mark(session, staff.staff, first.id)
    notifications.mark(session, staff.leader, first.id)
    assert notifications.unread(session, staff.leader) == 1
    notifications.mark(session, staff.leader, first.id, read=False)
    assert notifications.mark_all(session, staff.leader) == 2
    assert notifications.unread(session, staff.leader) == 0
    moved = Actor(account_id=staff.leader.account_id, permissions=city.actor("planner", city.grids["B2"]).permissions)
    assert session.execute(notifications.selection(moved)).all() == []
    assert second.read_at is None


def test_choices_and_rules_are_checked(staff: Staff) -> None:
    session = staff.city.session
    with pytest.raises(Invalid, match="no notification"):
        notifications.choose(session, staff.leader, email=None, app_off=["everything"], email_on=[])
    with pytest.raises(Invalid, match="address"):
        notifications.choose(session, staff.leader, email=None, app_off=[], email_on=["overdue"])
    with pytest.raises(Forbidden):
        notifications.set_rules(session, staff.staff, {})
    with pytest.raises(Invalid, match="no role"):
        notifications.set_rules(session, access.SYSTEM, {"overdue": {"emperor": "always"}})


# What leaves the house.


@dataclass
class Post:
    """A mail server and a robot's host that remember what they were told, and fail when asked to."""

    mail_port: int = 0
    robot_port: int = 0
    mails: list[Message] = field(default_factory=list)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    refuse: int = 0
    errcode: int = 0

    @property
    def robot(self) -> str:
        return f"http://127.0.0.1:{self.robot_port}/robot/send?access_token=t0"


def _mail_server(post: Post) -> type[socketserver.StreamRequestHandler]:
    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"220 test\r\n")
            while line := self.rfile.readline():
                word = line[:4].upper().strip()
                if word == b"DATA":
                    self.wfile.write(b"354 go on\r\n")
                    lines = iter(self.rfile.readline, b".\r\n")
                    data = b"".join(lines)
                    if post.refuse > 0:
                        post.refuse -= 1
                        self.wfile.write(b"451 later\r\n")
                        continue
                    post.mails.append(message_from_bytes(data))
                self.wfile.write(b"221 bye\r\n" if word == b"QUIT" else b"250 ok\r\n")
                if word == b"QUIT":
                    return

    return Handler


def _robot(post: Post) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            post.calls.append((self.path, body))
            said = json.dumps({"errcode": post.errcode, "errmsg": "secret 13812346021"}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(said)))
            self.end_headers()
            self.wfile.write(said)

        def log_message(self, *_args: Any) -> None:
            """Say nothing."""

    return Handler


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Iterator[Post]:
    post = Post()
    mail = socketserver.ThreadingTCPServer(("127.0.0.1", 0), _mail_server(post))
    robot = ThreadingHTTPServer(("127.0.0.1", 0), _robot(post))
    post.mail_port, post.robot_port = mail.server_address[1], robot.server_address[1]
    threads = [threading.Thread(target=one.serve_forever, args=(0.01,)) for one in (mail, robot)]
    for thread in threads:
        thread.start()
    changed = Settings(
        smtp_host="127.0.0.1",
        smtp_port=post.mail_port,
        smtp_security="none",
        smtp_from="wangge@street.example",
        public_url="https://wangge.example",
        webhook_hosts=f"oapi.dingtalk.com, http://127.0.0.1:{post.robot_port}",
    )
    monkeypatch.setattr(settings, "get", lambda: changed)
    yield post
    for server, thread in zip((mail, robot), threads, strict=True):
        server.shutdown()
        server.server_close()
        thread.join()


@pytest.fixture
def transaction(session: Session) -> Callable[[Actor], AbstractContextManager[Session]]:
    return on_connection(session)


Transactions = Callable[[Actor], AbstractContextManager[Session]]


def send(staff: Staff, transaction: Transactions) -> dict[str, Any]:
    """Do what the job does."""
    return sending.perform(staff.city.session, access.SYSTEM, Job(), lambda *_said: None, transaction)


def mailed(staff: Staff, *kinds: str) -> None:
    """The leader wants kinds by e-mail, and reads English."""
    session = staff.city.session
    session.get_one(accounts.Account, staff.leader.account_id).language = "en"
    notifications.choose(session, staff.leader, email="leader@street.example", app_off=[], email_on=kinds)


def hooked(staff: Staff, post: Post, form: str = "dingtalk", secret: str | None = "SECkey") -> notifications.Webhook:
    """The community's robot is told of new and overdue cases."""
    return notifications.add_webhook(
        staff.city.session,
        access.SYSTEM,
        staff.city.community,
        name="值班群",
        form=form,
        address=post.robot,
        secret=secret,
        kinds=["reported", "overdue"],
    )


def test_an_e_mail_tells_number_category_grid_and_link_and_nobodys_name(
    staff: Staff, post: Post, transaction: Transactions
) -> None:
    mailed(staff, "reported")
    incident = staff.city.incident(50, 50, description="王奶奶家门口", address="锦绣路1号", contact="13812346021")
    assert send(staff, transaction) == {"sent": 1, "failed": 0}
    (mail,) = post.mails
    assert (mail["To"], mail["From"]) == ("leader@street.example", "wangge@street.example")
    assert str(mail["Message-ID"]).endswith("@wangge.example>")
    body = mail.get_payload(decode=True)
    assert isinstance(body, bytes)
    told = body.decode()
    assert f"https://wangge.example/incidents/{incident.id}" in told
    assert all(part in told for part in ("20260317-001", "Corridor light", "A1", "梧桐里社区"))
    assert not any(part in mail.as_string() + told for part in ("王奶奶", "锦绣路", "1381234", "leader "))
    assert send(staff, transaction) == {"sent": 0, "failed": 0}
    assert len(post.mails) == 1


def test_a_dingtalk_robot_is_called_with_its_signature(staff: Staff, post: Post, transaction: Transactions) -> None:
    hooked(staff, post)
    staff.city.incident(50, 50, description="王奶奶家门口")
    assert send(staff, transaction)["sent"] == 1
    ((path, body),) = post.calls
    query = {name: values[0] for name, values in parse_qs(urlsplit(path).query).items()}
    assert query["access_token"] == "t0"
    assert abs(int(query["timestamp"]) / 1000 - datetime.now(UTC).timestamp()) < 3600
    expected = hmac.new(b"SECkey", f"{query['timestamp']}\nSECkey".encode(), hashlib.sha256).digest()
    assert base64.b64decode(query["sign"]) == expected
    assert body["msgtype"] == "text"
    assert "20260317-001" in body["text"]["content"]
    assert "王奶奶" not in body["text"]["content"]


def test_a_wecom_robot_has_no_signature(staff: Staff, post: Post, transaction: Transactions) -> None:
    hooked(staff, post, "wecom", None)
    staff.city.incident(50, 50)
    assert send(staff, transaction)["sent"] == 1
    assert post.calls[0][0] == "/robot/send?access_token=t0"


def test_a_robot_that_refuses_is_asked_again_later_and_given_up_in_the_end(
    staff: Staff, post: Post, transaction: Transactions
) -> None:
    session = staff.city.session
    hooked(staff, post)
    post.errcode = 310000
    staff.city.incident(50, 50)
    pauses = []
    for _attempt in range(6):
        assert send(staff, transaction) == {"sent": 0, "failed": 1}
        row = session.scalars(select(Outgoing)).one()
        pauses.append(round((row.next_at - datetime.now(UTC)) / timedelta(minutes=1)))
        assert row.detail == "errcode 310000"
        session.execute(text("UPDATE outgoing SET next_at = now()"))
        session.expire_all()
    assert pauses[:5] == [1, 5, 30, 120, 360]
    assert row.state == Sending.FAILED
    assert send(staff, transaction) == {"sent": 0, "failed": 0}
    assert len(post.calls) == 6


def test_a_mail_server_that_is_busy_is_tried_again(staff: Staff, post: Post, transaction: Transactions) -> None:
    mailed(staff, "reported")
    post.refuse = 1
    staff.city.incident(50, 50)
    assert send(staff, transaction) == {"sent": 0, "failed": 1}
    assert send(staff, transaction) == {"sent": 0, "failed": 0}  # not before its time
    staff.city.session.execute(text("UPDATE outgoing SET next_at = now()"))
    assert send(staff, transaction) == {"sent": 1, "failed": 0}
    staff.city.incident(50, 50)
    staff.city.session.execute(
        text("UPDATE outgoing SET next_at = now() + interval '10 years' WHERE state = 'waiting'")
    )
    assert send(staff, transaction) == {"sent": 1, "failed": 0}, "a clock that was ahead keeps no message for years"


def _silent(_connection: socket.socket) -> None:
    """Take the connection and say nothing."""


def _dripping(connection: socket.socket) -> None:
    """Say a little now and then: never silent for long, and never done."""
    with contextlib.suppress(OSError):
        while True:
            connection.sendall(b"220-go on\r\n")
            threading.Event().wait(0.05)


def _leaving(connection: socket.socket) -> None:
    """Hang up at once."""
    connection.close()


def _babbling(connection: socket.socket) -> None:
    """Say what is no protocol."""
    connection.sendall(b"\xff\x00\r\n" * 10)


@contextlib.contextmanager
def served_by(talk: Callable[[socket.socket], None]) -> Iterator[tuple[int, list[socket.socket]]]:
    """A server that talks like this: its port, and who has come."""
    came: list[socket.socket] = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            with contextlib.suppress(OSError):
                while True:
                    came.append(server.accept()[0])
                    threading.Thread(target=talk, args=(came[-1],), daemon=True).start()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield server.getsockname()[1], came
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
    for connection in came:
        connection.close()


def told_otherwise(monkeypatch: pytest.MonkeyPatch, **changed: Any) -> None:
    """Change settings."""
    given = settings.get().model_copy(update=changed)
    monkeypatch.setattr(settings, "get", lambda: given)


@pytest.mark.parametrize("talk", [_silent, _dripping, _leaving, _babbling])
@pytest.mark.parametrize("channel", ["mail", "robot"])
def test_a_server_that_answers_slowly_or_not_at_all_keeps_no_other_message_from_going_out(
    staff: Staff,
    post: Post,
    transaction: Transactions,
    monkeypatch: pytest.MonkeyPatch,
    talk: Callable[[socket.socket], None],
    channel: str,
) -> None:
    monkeypatch.setattr(sending, "TIMEOUT_S", 0.5)
    monkeypatch.setattr(sending, "DEADLINE_S", 1.0)
    mailed(staff, "reported")
    with served_by(talk) as (port, came):
        hosts = f"http://127.0.0.1:{port},http://127.0.0.1:{post.robot_port}"
        changed: dict[str, Any] = {"smtp_port": port} if channel == "mail" else {"webhook_hosts": hosts}
        told_otherwise(monkeypatch, **changed)
        hook = hooked(staff, post)
        if channel == "robot":
            hook.address = f"http://127.0.0.1:{port}/robot/send"
        for x in (20, 40, 60):
            staff.city.incident(x, 50)
        assert send(staff, transaction)["sent"] == 3
        assert len(came) == 1 or talk is _babbling, "one has waited in vain, so the others do not"
    assert len(post.calls if channel == "mail" else post.mails) == 3
    waiting = staff.city.session.scalars(select(Outgoing).where(Outgoing.state == Sending.WAITING)).all()
    assert len(waiting) == 3
    assert all(row.next_at > datetime.now(UTC) for row in waiting)
    if channel == "mail":
        told_otherwise(monkeypatch, smtp_port=post.mail_port)
    else:
        hook.address = post.robot
    staff.city.session.execute(text("UPDATE outgoing SET next_at = now()"))
    staff.city.session.expire_all()
    assert send(staff, transaction) == {"sent": 3, "failed": 0}


class Killed(BaseException):
    """As when the process dies: nothing after it runs."""


@pytest.mark.parametrize("before_sending", [True, False])
def test_a_sender_that_is_killed_loses_nothing(
    staff: Staff, post: Post, transaction: Transactions, monkeypatch: pytest.MonkeyPatch, before_sending: bool
) -> None:
    mailed(staff, "reported")
    staff.city.incident(50, 50)
    mail = sending._mail

    def die(letter: sending.Letter) -> None:
        if not before_sending:
            mail(letter)
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr(sending, "_mail", die)
        with pytest.raises(Killed):
            send(staff, transaction)
    assert send(staff, transaction) == {"sent": 0, "failed": 0}  # it is taken until its lease ends
    staff.city.session.execute(text("UPDATE outgoing SET next_at = now()"))
    assert send(staff, transaction) == {"sent": 1, "failed": 0}
    assert len(post.mails) == (1 if before_sending else 2)
    # A second copy has the same Message-ID, so that mail programs show it as the same.
    assert len({mail["Message-ID"] for mail in post.mails}) == 1


def test_what_is_told_is_undone_with_what_it_tells_of(staff: Staff, post: Post) -> None:
    session = staff.city.session
    mailed(staff, "reported")
    attempt = session.begin_nested()
    staff.city.incident(50, 50)
    assert session.scalar(select(func.count()).select_from(Outgoing)) == 1
    attempt.rollback()
    assert session.scalar(select(func.count()).select_from(Outgoing)) == 0
    assert staff.told() == {}


def test_one_job_is_enough_for_many_messages(staff: Staff, post: Post) -> None:
    session = staff.city.session
    mailed(staff, "reported")
    for x in (20, 40, 60):
        staff.city.incident(x, 50)
    assert session.scalar(select(func.count()).select_from(Job).where(Job.kind == "send")) == 1
    assert not notifications.ask_to_send_what_is_left(session)
    session.execute(text("UPDATE job SET state = 'done'"))
    assert notifications.ask_to_send_what_is_left(session)


def test_a_robot_is_not_asked_for_more_than_it_takes_a_minute(
    staff: Staff, post: Post, transaction: Transactions
) -> None:
    hooked(staff, post)
    for place in range(20):
        staff.city.incident(10 + place, 50)
    assert send(staff, transaction)["sent"] == sending.ROBOT_PER_MINUTE


def test_messages_go_only_to_the_hosts_of_the_settings(staff: Staff, post: Post) -> None:
    for address in (
        "http://oapi.dingtalk.com/robot/send",
        "https://127.0.0.1/",
        "https://oapi.dingtalk.com.evil.example/",
        "https://oapi.dingtalk.com@evil.example/",
        "file:///etc/passwd",
        "ftp://oapi.dingtalk.com/",
    ):
        with pytest.raises(Invalid, match="https://"):
            sending.check_address(address)
    assert sending.check_address("https://oapi.dingtalk.com/robot/send?access_token=a")


def test_a_robot_belongs_to_those_who_manage_its_unit(staff: Staff, post: Post) -> None:
    session, city = staff.city.session, staff.city
    other = City.make(session, "310102001001")
    here, there = city.actor("administrator", city.community), other.actor("administrator", other.community)
    hook = hooked(staff, post)
    assert [found.id for found, _unit in notifications.webhooks(session, here)] == [hook.id]
    assert notifications.webhooks(session, there) == []
    with pytest.raises(NotFound):
        notifications.webhook(session, there, hook.id)
    with pytest.raises(Forbidden):
        notifications.add_webhook(session, here, city.street, name="群", form="wecom", address=post.robot, kinds=[])
    with pytest.raises(Invalid, match="belongs to"):
        notifications.add_webhook(session, here, city.grids["A1"], name="群", form="wecom", address="", kinds=[])
    raw = session.scalar(text("SELECT address FROM webhook"))
    assert b"access_token" not in bytes(raw)
    notifications.remove_webhook(session, here, hook)
    assert notifications.webhooks(session, here) == []


def test_what_is_old_is_forgotten_and_what_waits_is_kept(staff: Staff, post: Post) -> None:
    session = staff.city.session
    mailed(staff, "reported")
    for x in (20, 40):
        staff.city.incident(x, 50)
    session.execute(text("UPDATE notification SET at = now() - interval '400 days'"))
    session.execute(text("UPDATE outgoing SET made_at = now() - interval '40 days'"))
    session.execute(text("UPDATE outgoing SET state = 'sent' WHERE id = (SELECT min(id) FROM outgoing)"))
    session.execute(text("UPDATE job SET state = 'done', created_at = now() - interval '40 days'"))
    notifications.forget_old(session)
    assert staff.told() == {}
    assert list(session.scalars(select(Outgoing.state))) == [Sending.WAITING]
    assert session.scalar(select(func.count()).select_from(Job).where(Job.kind == "send")) == 0


def test_every_kind_has_its_words() -> None:
    for spoken in language.LANGUAGES:
        with language.using(spoken):
            assert set(notifications.names()) == set(Kind)
            assert all(notifications.sentence(kind) for kind in Kind)


def test_a_walled_transaction_may_tell_those_it_cannot_see(staff: Staff, transaction: Transactions) -> None:
    """The leader's transaction sees one grid, and still tells the community and the street."""
    incident = staff.city.incident(50, 50)
    staff.city.session.flush()
    with transaction(staff.leader) as walled:
        found = incidents.get(walled, staff.leader, incident.id)
        incidents.act(walled, staff.leader, found, Action.TRIAGE, tier=incidents.Tier.STREET)
    assert staff.told("urgent") == {"staff": ["urgent"], "street": ["urgent"]}
    assert db.APP_ROLE == "wangge_app"
