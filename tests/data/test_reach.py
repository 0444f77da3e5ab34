"""What the role that people's transactions run as can reach: rows by row-level security, tables by grants."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Connection, Engine, func, select, text
from sqlalchemy.exc import DBAPIError, ProgrammingError
from sqlalchemy.orm import Session

from data import accounts, grids, notifications
from data.base import access, bulk, db, jobs, settings
from data.base import cluster as cluster_module
from data.base.cluster import REQUESTS, Cluster
from data.base.errors import Busy
from tests.city import City, rectangle
from tests.conftest import cloned

#: Tables that requests may use although no row-level security stands under them, each with its reason.
WITHOUT = {
    "account": "names of colleagues, who hand work to each other; what one gets in by is not granted, nor any change",
    "basemap": "streets and parks, drawn for everybody who sees a map; nobody lives in it",
    "case_watch": "instants at which a case is looked at again: numbers of cases, no word of them",
    "category": "one list for all communities; changing it takes the right everywhere",
    "grant": "who has which role where: whom one may hand work to; it cannot be changed from here",
    "incident_counter": "the last number that a community gave in a year",
    "key_mark": "which keys encrypt: a mark of them, by which the right ones are told",
    "notice_rule": "one list for all communities; changing it takes the right everywhere",
    "permission": "one list; it cannot be changed from here",
    "reminder": "that a case was reminded of, when and by which rule: numbers, no word of it",
    "role": "one list; it cannot be changed from here",
    "role_permission": "what each role permits; it cannot be changed from here",
    "spatial_ref_sys": "PostGIS's own list of reference systems",
    "special_group": "one list for all communities; changing it takes the right everywhere",
    "template": "texts of answers for all communities; changing them takes the right everywhere",
}

#: What only the tables' owner does.
REFUSED = [
    "SELECT password_hash FROM account",
    "SELECT * FROM account",
    "UPDATE account SET password_hash = 'x'",
    "UPDATE account SET active = true",
    "INSERT INTO account (username, name, password_hash) VALUES ('x', 'x', 'x')",
    "DELETE FROM account",
    "INSERT INTO \"grant\" (account_id, role_code) VALUES (1, 'administrator')",
    'UPDATE "grant" SET unit_id = NULL',
    'DELETE FROM "grant"',
    "INSERT INTO role (code, name_zh, name_en) VALUES ('x', 'x', 'x')",
    "INSERT INTO role_permission VALUES ('analyst', 'account.edit')",
    "DELETE FROM role_permission",
    "INSERT INTO permission VALUES ('x', 'x', 'x')",
    "SELECT token_hash FROM api_token",
    "SELECT id FROM api_token",
    "INSERT INTO api_token (account_id, name, token_hash) VALUES (1, 'x', 'x')",
    "SELECT * FROM sign_in",
    "SELECT * FROM sign_in_attempt",
    "DELETE FROM job",
    "UPDATE upload SET account_id = 1",
    "DELETE FROM upload",
    "UPDATE outgoing SET state = 'sent'",
    "DELETE FROM outgoing",
    "UPDATE audit SET purpose = 'x'",
    "DELETE FROM audit",
]


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def test_every_table_without_row_level_security_is_known_and_has_its_reason(session: Session) -> None:
    rows = session.execute(
        text(
            "SELECT c.relname, c.relrowsecurity FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace "
            "AND c.relkind IN ('r', 'p') AND (has_any_column_privilege('wangge_app', c.oid, "
            "'SELECT, INSERT, UPDATE') OR has_table_privilege('wangge_app', c.oid, 'DELETE, TRUNCATE'))"
        )
    )
    assert {name for name, walled in rows if not walled} == set(WITHOUT)
    assert all(len(reason) > 15 for reason in WITHOUT.values())


@pytest.mark.parametrize("statement", REFUSED)
def test_requests_neither_read_what_one_gets_in_by_nor_change_who_may_what(city: City, statement: str) -> None:
    db.enter(city.session, city.actor("administrator", None))
    with pytest.raises(ProgrammingError, match="permission denied"):
        city.session.execute(text(statement))


@pytest.mark.parametrize("place", ["grid", "community", "street", "district", "everywhere"])
def test_the_database_too_lets_units_be_changed_in_ones_own_area_alone(city: City, place: str) -> None:
    other = City.make(city.session, "310102001001")
    own = {
        "grid": [city.grids["A1"]],
        "community": [city.community, *city.grids.values()],
        "street": [city.street, city.community, *city.grids.values()],
        "district": [city.street, city.community, *city.grids.values()],
    }
    every = [other.district, other.street, other.community, *other.grids.values(), city.district, *own["district"]]
    at = {"grid": city.grids["A1"], "community": city.community, "street": city.street, "district": city.district}
    db.enter(city.session, city.actor("administrator", at.get(place)))
    changed = city.session.scalars(text("UPDATE unit SET name = name || '改' RETURNING id"))
    assert set(changed) == {unit.id for unit in own.get(place, every)}
    # A grid's row stands in its community, so the database lets whoever has it whole add one; the rules say the rest.
    added = text("INSERT INTO unit (level, code, name, path, parent_id) VALUES (:level, :code, 'x', '{}', :parent)")
    for level, parent in (("district", None), ("street", other.district.id)):
        savepoint = city.session.begin_nested()
        if place == "everywhere":
            city.session.execute(added, {"level": level, "code": level, "parent": parent})
            continue
        with pytest.raises(ProgrammingError, match="row-level security"):
            city.session.execute(added, {"level": level, "code": level, "parent": parent})
        savepoint.rollback()


def test_the_hash_of_a_password_is_read_only_where_it_is_asked_for(city: City) -> None:
    account = city.account("grid_leader", city.grids["A1"])
    city.session.expire_all()
    db.enter(city.session, city.actor("administrator", None))
    found = city.session.scalars(select(accounts.Account).where(accounts.Account.id == account.id)).one()
    assert found.name == "grid_leader"
    with pytest.raises(ProgrammingError, match="permission denied"):
        assert found.password_hash


def test_what_one_handed_in_asked_for_and_chose_is_ones_own(city: City) -> None:
    mine, other = city.actor("community_staff", city.community), city.actor("community_staff", city.street)
    everybody = city.actor("administrator", None)
    for actor in (mine, other):
        assert actor.account_id is not None
        jobs.enqueue(city.session, actor, "import", {}, community_id=city.community.id, language="zh")
        city.session.add(jobs.Upload(account_id=actor.account_id, name="a.csv", sha256="0" * 64, size=1))
        notifications.choose(city.session, actor, email="a@b.example", app_off=["overdue"], email_on=["urgent"])
    city.session.flush()
    for actor, known in ((mine, {mine.account_id}), (everybody, set())):
        savepoint = city.session.begin_nested()
        db.enter(city.session, actor)
        for table in ("job", "upload", "notice_choice"):
            owners = city.session.scalars(text(f"SELECT account_id FROM {table} WHERE account_id IS NOT NULL"))
            assert set(owners) == known, table
        ended = city.session.scalars(text("UPDATE job SET state = 'cancelled' RETURNING account_id"))
        assert set(ended) == known
        # Of others one learns what they want to be told of, and not where.
        chosen = city.session.execute(text("SELECT * FROM notice_choices(:ids)"), {"ids": [other.account_id]}).one()
        assert chosen._asdict() == {
            "account_id": other.account_id,
            "app_off": ["overdue"],
            "email_on": ["urgent"],
            "reachable": True,
        }
        savepoint.rollback()
    savepoint = city.session.begin_nested()
    db.enter(city.session, mine)
    with pytest.raises(ProgrammingError, match="row-level security"):
        jobs.enqueue(city.session, other, "import", {}, community_id=city.community.id, language="zh")
    savepoint.rollback()


def test_whether_a_job_of_somebody_else_is_to_come_is_all_that_one_learns_of_it(city: City) -> None:
    job = jobs.enqueue(city.session, access.SYSTEM, "hotspots", {}, community_id=None, language="zh")
    job.account_id = city.account("community_staff", city.street).id
    city.session.flush()
    db.enter(city.session, city.actor("community_staff", city.community))
    assert city.session.scalar(select(func.job_is_coming(job.id))) is True
    assert city.session.scalar(select(func.job_is_coming(job.id + 1))) is False
    assert city.session.scalar(text("SELECT count(*) FROM job WHERE id = :id"), {"id": job.id}) == 0


def test_messages_are_written_by_whoever_writes_of_a_case_and_counted_by_who_has_everything(city: City) -> None:
    case = city.incident(50, 50)
    hook = notifications.Webhook(
        unit_id=city.community.id, name="x", form="wecom", address="https://x.example", kinds=[]
    )
    city.session.add(hook)
    city.session.flush()
    written = text(
        "INSERT INTO outgoing (key, channel, webhook_id, incident_id, kind) "
        "VALUES ('k', 'webhook', :hook, :case, 'reported') ON CONFLICT DO NOTHING"
    )
    for actor, seen in ((city.actor("community_staff", city.community), 0), (city.actor("administrator", None), 1)):
        savepoint = city.session.begin_nested()
        db.enter(city.session, actor)
        for _again in range(2):
            city.session.execute(written, {"hook": hook.id, "case": case.id})
        assert city.session.scalar(text("SELECT count(*) FROM outgoing WHERE key = 'k'")) == seen
        savepoint.rollback()


# ---- the login -----------------------------------------------------------------------------------------------------

#: Ways back to the owner, or past the walls.
WAYS_BACK = [
    "RESET ROLE",
    "SET ROLE NONE",
    "SET ROLE wangge",
    "SET LOCAL ROLE wangge",
    "SELECT set_config('role', 'wangge', false)",
    "SET SESSION AUTHORIZATION wangge",
    "RESET SESSION AUTHORIZATION",
    "DISCARD ALL",
    "SET row_security = off",
    "SET session_replication_role = replica",
    "ALTER TABLE building DISABLE ROW LEVEL SECURITY",
    "GRANT wangge TO wangge_request",
    "CREATE ROLE another LOGIN CREATEROLE",
    "CREATE TABLE public.mine (id int)",
]


@pytest.fixture
def login(cluster: Cluster, engine: Engine) -> Iterator[Connection]:
    """A connection as requests have it."""
    requests = db.make_engine(cluster.dsn(engine.url.database, REQUESTS)).execution_options(
        isolation_level="AUTOCOMMIT"
    )
    with requests.connect() as connection:
        yield connection
    requests.dispose()


@pytest.mark.parametrize("way", WAYS_BACK)
def test_no_statement_leads_from_the_login_of_requests_to_the_owner(login: Connection, way: str) -> None:
    with suppress(DBAPIError):
        login.execute(text(way))
    assert login.scalar(text("SELECT current_user IN ('wangge_request', 'wangge_app')"))
    for statement in ("SELECT password_hash FROM account", "SELECT * FROM sign_in", "DELETE FROM role_permission"):
        with pytest.raises(ProgrammingError, match="permission denied"):
            login.execute(text(statement))
    with suppress(ProgrammingError):  # with row_security off a read is refused; else there is nothing to be seen
        assert login.scalar(text("SELECT count(*) FROM building")) == 0


def test_a_transaction_of_an_actor_logs_in_as_requests_do_and_that_of_the_system_as_the_owner(
    cluster: Cluster, engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    name = engine.url.database
    monkeypatch.setattr(cluster_module, "dsn", lambda: cluster.dsn(name))
    monkeypatch.setattr(cluster_module, "request_dsn", lambda: cluster.dsn(name, REQUESTS))
    db.engine.cache_clear()
    db.requests.cache_clear()
    who = text("SELECT session_user || ' ' || current_user")
    try:
        with db.transaction(access.SYSTEM) as session:
            assert session.scalar(who) == "wangge wangge"
        with db.transaction(access.VISITOR) as session:
            assert session.scalar(who) == "wangge_request wangge_app"
            with pytest.raises(ProgrammingError), session.begin_nested(), bulk.as_owner(session):
                session.execute(text("SELECT password_hash FROM account"))
        with db.requests().connect() as connection:
            db.try_as_request(connection)
    finally:
        db.engine().dispose()
        db.requests().dispose()
        db.engine.cache_clear()
        db.requests.cache_clear()


def test_beyond_ones_area_one_reaches_every_row_and_no_more_tables_and_comes_back(city: City) -> None:
    city.household("A1")
    leader = city.actor("grid_leader", city.grids["B2"])
    db.enter(city.session, leader)
    count = text("SELECT (SELECT count(*) FROM building), (SELECT count(*) FROM household)")
    own = tuple(city.session.execute(count).one())
    with db.everywhere(city.session):
        assert tuple(city.session.execute(count).one()) > own
        with pytest.raises(ProgrammingError, match="permission denied"), city.session.begin_nested():
            city.session.execute(text("SELECT password_hash FROM account"))
    assert tuple(city.session.execute(count).one()) == own
    with pytest.raises(ZeroDivisionError), city.session.begin_nested(), db.everywhere(city.session):
        raise ZeroDivisionError
    assert tuple(city.session.execute(count).one()) == own


@pytest.mark.parametrize(
    ("owner", "requests"), [(None, None), ("postgresql://a@h/d", None), ("postgresql://a@h/d", "x")]
)
def test_on_a_server_of_ones_own_the_login_of_requests_is_a_setting(
    monkeypatch: pytest.MonkeyPatch, owner: str | None, requests: str | None
) -> None:
    wanted = settings.get().model_copy(
        update={"database_url": owner, "request_database_url": requests and "postgresql://b@h/d"}
    )
    monkeypatch.setattr(settings, "get", lambda: wanted)
    expected = "postgresql://b@h/d" if requests else owner or cluster_module.private().dsn(user=REQUESTS)
    assert cluster_module.request_dsn() == expected
    wrong = wanted.model_copy(update={"request_database_url": "mysql://b@h/d"})
    monkeypatch.setattr(settings, "get", lambda: wrong)
    with pytest.raises(Busy, match="WANGGE_REQUEST_DATABASE_URL must begin with postgresql://, not mysql"):
        cluster_module.request_dsn()


@pytest.mark.parametrize("zone", ["Pacific/Kiritimati", "Pacific/Niue"])
def test_a_day_that_nobody_named_is_that_of_the_community(
    session: Session, monkeypatch: pytest.MonkeyPatch, zone: str
) -> None:
    # They are 25 hours apart: at any time one of them has another day than UTC.
    elsewhere = settings.get().model_copy(update={"timezone": zone})
    monkeypatch.setattr(settings, "get", lambda: elsewhere)
    grids._covering.cache_clear()
    city = City.make(session)
    today = datetime.now(UTC).astimezone(ZoneInfo(zone)).date()
    grid = city.grids["A1"].id
    made = grids.divide(session, access.SYSTEM, city.community, {grid: rectangle(0, 0, 300, 300)})
    session.refresh(made)
    assert made.valid.lower == today
    assert set(grids.shapes(session, city.community.id)) == {grid}
    assert city.buildings["C3"].community_id == city.community.id
    of = {"id": city.community.id}
    assert set(session.scalars(text("SELECT grid_id FROM building WHERE community_id = :id"), of)) == {grid}
    grids._covering.cache_clear()


def test_what_a_request_may_not_read_any_more_is_found_out_by_trying(cluster: Cluster, worker: str) -> None:
    with cloned(cluster, f"wangge_tried_{worker}") as (_dsn, engine), engine.connect() as connection:
        db.try_as_request(connection)
        connection.execute(text('REVOKE SELECT ON "round" FROM wangge_app'))
        connection.commit()
        with pytest.raises(ProgrammingError, match="round"):
            db.try_as_request(connection)
