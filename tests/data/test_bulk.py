"""Bulk loads: what they write, what they leave of a table's keys and indexes, and how they give way."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest
import shapely
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError, OperationalError
from sqlalchemy.orm import Session

from data.base import access, bulk
from data.basemaps import Basemap
from data.households import Household, Resident
from data.incidents import Incident
from tests.city import City

INCIDENT: Any = Incident.__table__
MANY = bulk.FEWEST_FOR_SUSPENSION


@pytest.fixture
def city(session: Session) -> City:
    return City.make(session)


def keys_and_indexes(session: Session, table: str) -> list[tuple[str, str]]:
    """Name and definition of every key, check and index of a table."""
    query = text(
        "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE conrelid = CAST(:name AS regclass) "
        "UNION SELECT indexrelid::regclass::text, pg_get_indexdef(indexrelid) FROM pg_index "
        "WHERE indrelid = CAST(:name AS regclass) ORDER BY 1, 2"
    )
    return [(name, definition) for name, definition in session.execute(query, {"name": table})]


def cases(city: City, count: int, **changes: Any) -> dict[str, bulk.Values]:
    """Columns of cases in A1."""
    return {
        "community_id": bulk.Same(city.community.id),
        "number": [f"n{n}" for n in range(count)],
        "category_code": bulk.Same("environment.noise"),
        "grid_id": bulk.Same(city.grids["A1"].id),
        "geom": bulk.point_wkb(np.full(count, 120.0005), np.full(count, 30.0005)),
        "reported_at": np.full(count, np.datetime64("2026-03-17T01:02:03.000004")),
        **changes,
    }


def test_values_arrive_exactly_and_empty_ones_take_the_default(city: City) -> None:
    columns = cases(city, 2, step=["closed", None], description=["灯不亮\t\\N", None])
    columns["closed_at"] = np.array(["2026-03-18T00:00:00", "NaT"], dtype="datetime64[s]")
    bulk.load(city.session, INCIDENT, columns)

    first, second = city.session.query(Incident).order_by(Incident.number).all()
    assert first.reported_at == datetime(2026, 3, 17, 1, 2, 3, 4, tzinfo=UTC)
    assert (first.closed_at, second.closed_at) == (datetime(2026, 3, 18, tzinfo=UTC), None)
    assert (first.state, second.state) == ("closed", "new")
    assert first.description == "灯不亮\t\\N"
    assert first.source == "staff"
    where = city.session.scalar(text("SELECT ST_AsEWKT(geom) FROM incident WHERE number = 'n0'"))
    assert where == "SRID=4326;POINT(120.0005 30.0005)"


def test_points_are_encoded_as_shapely_encodes_them() -> None:
    points = shapely.points(np.random.default_rng(1).uniform(-180, 180, (50, 2)))
    assert bulk.wkb(points) == shapely.to_wkb(points).tolist()
    mixed = np.array([points[0], None, shapely.box(0, 0, 1, 1), shapely.Point()], dtype=object)
    assert bulk.wkb(mixed) == shapely.to_wkb(mixed).tolist()


@pytest.fixture(params=[True, False], ids=["keys checked late", "keys taken down"])
def lenient(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> bool:
    """A server that lets us leave the checks of foreign keys for the end, and one that does not."""
    if not request.param:
        monkeypatch.setattr(bulk, "_may_check_late", lambda _session: False)
    return bool(request.param)


def test_after_a_large_load_every_key_and_index_is_back(city: City, lenient: bool) -> None:
    before = keys_and_indexes(city.session, "incident")
    with bulk.suspended(city.session, INCIDENT, MANY):
        assert len(keys_and_indexes(city.session, "incident")) < len(before)
        bulk.load(city.session, INCIDENT, cases(city, MANY))
    assert keys_and_indexes(city.session, "incident") == before
    assert city.session.scalar(text("SELECT count(*) FROM incident")) == MANY


def test_a_key_that_other_tables_refer_to_stays(city: City) -> None:
    household: Any = Household.__table__
    with bulk.suspended(city.session, household, MANY):
        left = dict(keys_and_indexes(city.session, "household"))
    assert {"pk_household", "uq_household_id_community_id"} <= set(left)


@pytest.mark.parametrize(
    ("column", "value", "constraint"),
    [("category_code", "no.such", "fk_incident_category_code"), ("number", "same", "uq_incident_community_id_number")],
)
@pytest.mark.usefixtures("lenient")
def test_a_large_load_of_wrong_rows_fails_as_a_whole(city: City, column: str, value: str, constraint: str) -> None:
    before = keys_and_indexes(city.session, "incident")
    savepoint = city.session.begin_nested()
    with pytest.raises(IntegrityError, match=constraint), bulk.suspended(city.session, INCIDENT, MANY):
        bulk.load(city.session, INCIDENT, cases(city, MANY, **{column: bulk.Same(value)}))
    savepoint.rollback()
    assert keys_and_indexes(city.session, "incident") == before
    assert city.session.scalar(text("SELECT count(*) FROM incident")) == 0


@pytest.mark.usefixtures("lenient")
def test_tables_that_refer_to_each_other_are_loaded_together_and_checked_at_the_end(city: City) -> None:
    household: Any = Household.__table__
    resident: Any = Resident.__table__
    before = [keys_and_indexes(city.session, name) for name in ("household", "resident")]
    with bulk.suspended(city.session, household, MANY, beside={resident: MANY}) as down:
        assert down
        homes, people = (bulk.reserve_ids(city.session, table, MANY) for table in (household, resident))
        bulk.add(city.session, household, {**families(city, homes), "head_id": people})
        bulk.add(city.session, resident, {**persons(city, people), "household_id": homes})
    assert [keys_and_indexes(city.session, name) for name in ("household", "resident")] == before
    query = "SELECT count(*) FROM household h JOIN resident r ON r.id = h.head_id AND r.household_id = h.id"
    assert city.session.scalar(text(query)) == MANY


@pytest.mark.usefixtures("lenient")
def test_a_head_who_is_nobody_is_found_when_both_tables_are_checked(city: City) -> None:
    household: Any = Household.__table__
    resident: Any = Resident.__table__
    savepoint = city.session.begin_nested()
    homes, people = (bulk.reserve_ids(city.session, table, MANY) for table in (household, resident))
    strangers = {**families(city, homes), "head_id": [*people[1:], 999_999_999]}
    both = bulk.suspended(city.session, household, MANY, beside={resident: MANY})
    with pytest.raises(IntegrityError, match="fk_household_head_id"), both:  # noqa: PT012 - it fails at the end
        bulk.add(city.session, household, strangers)
        bulk.add(city.session, resident, {**persons(city, people), "household_id": homes})
    savepoint.rollback()
    # Nothing is left of it: the next load takes indexes down again.
    with bulk.suspended(city.session, household, MANY) as down:
        assert down


def test_tables_are_down_together_or_not_at_all(city: City) -> None:
    household: Any = Household.__table__
    before = keys_and_indexes(city.session, "household")
    with bulk.suspended(city.session, household, MANY, beside={Resident.__table__: MANY - 1}) as down:
        assert not down
        assert keys_and_indexes(city.session, "household") == before


def test_ids_are_reserved_without_gaps_of_ours_and_never_twice(city: City) -> None:
    first, second = (bulk.reserve_ids(city.session, INCIDENT, count) for count in (1000, 3))
    assert (len(first), len(second), len({*first, *second})) == (1000, 3, 1003)
    assert bulk.reserve_ids(city.session, INCIDENT, 0) == []


def families(city: City, ids: list[int]) -> dict[str, bulk.Values]:
    """Households without a place."""
    return {
        "id": ids,
        "community_id": bulk.Same(city.community.id),
        "number": [f"F{number}" for number in ids],
        "unlocated_reason": bulk.Same("no_place"),
    }


def persons(city: City, ids: list[int]) -> dict[str, bulk.Values]:
    """Residents with a name."""
    return {"id": ids, "community_id": bulk.Same(city.community.id), "name": [f"Person {number}" for number in ids]}


def test_a_small_load_leaves_the_indexes_alone(city: City) -> None:
    before = keys_and_indexes(city.session, "incident")
    with bulk.suspended(city.session, INCIDENT, MANY - 1):
        assert keys_and_indexes(city.session, "incident") == before


def test_during_a_large_load_others_read_what_it_refers_to_but_do_not_write_it(engine: Engine) -> None:
    with engine.connect() as other, Session(engine) as session:
        assert bulk._may_check_late(session)
        with bulk.suspended(session, INCIDENT, MANY):
            other.execute(text("SET LOCAL lock_timeout = '100ms'"))
            for name in ("unit", "building", "category", "account"):
                other.execute(text(f"SELECT count(*) FROM {name}"))
            with pytest.raises(OperationalError, match="lock timeout"):
                other.execute(text("DELETE FROM unit"))
        session.rollback()


def test_after_a_large_load_rows_are_checked_one_by_one_again(city: City) -> None:
    with bulk.suspended(city.session, INCIDENT, MANY):
        bulk.load(city.session, INCIDENT, cases(city, MANY))
    city.session.execute(text("SET CONSTRAINTS ALL IMMEDIATE"))
    with pytest.raises(IntegrityError):
        bulk.load(city.session, INCIDENT, cases(city, 1, number=["one more"], grid_id=bulk.Same(999_999_999)))


def test_a_load_gives_way_to_whoever_holds_the_table(engine: Engine) -> None:
    table: Any = Basemap.__table__
    with engine.connect() as other, Session(engine) as session:
        other.execute(text("SELECT count(*) FROM basemap"))  # holds it until its transaction ends
        before = keys_and_indexes(session, "basemap")
        with bulk.suspended(session, table, MANY):
            assert keys_and_indexes(session, "basemap") == before
        session.rollback()


def test_as_owner_ends_with_the_block_and_with_an_error(city: City) -> None:
    city.session.execute(text("SET LOCAL ROLE wangge_app"))
    owner = city.session.scalar(text("SELECT session_user"))
    with bulk.as_owner(city.session):
        assert city.session.scalar(text("SELECT current_user")) == owner
    assert city.session.scalar(text("SELECT current_user")) == "wangge_app"
    with pytest.raises(ZeroDivisionError), city.session.begin_nested(), bulk.as_owner(city.session):
        raise ZeroDivisionError
    assert city.session.scalar(text("SELECT current_user")) == "wangge_app"


def test_a_merge_counts_what_is_new_what_differs_and_what_is_the_same(city: City) -> None:
    bulk.load(city.session, INCIDENT, cases(city, 3, description=["a", "b", None]))
    columns = cases(city, 4, description=["a", "B", None, "d"])

    merged = bulk.merge(city.session, access.SYSTEM, INCIDENT, columns, key=("community_id", "number"))

    assert (merged.new, merged.updated, merged.unchanged) == (1, 1, 2)
    kept = city.session.execute(text("SELECT description FROM incident ORDER BY number")).scalars().all()
    assert kept == ["a", "B", None, "d"]
    history = city.session.execute(text("SELECT record_id, changes FROM audit WHERE action = 'update'")).all()
    assert [(row.record_id, row.changes) for row in history] == [
        (next(iter(merged.changed_ids)), {"description": ["b", "B"]})
    ]


def test_a_merge_of_nothing_does_nothing(city: City) -> None:
    merged = bulk.merge(city.session, access.SYSTEM, INCIDENT, cases(city, 0), key=("community_id", "number"))
    assert (merged.new, merged.updated, merged.unchanged) == (0, 0, 0)


def test_a_large_load_leaves_statistics_that_are_true(city: City) -> None:
    columns = cases(city, bulk.FEWEST_FOR_STATISTICS)
    with bulk.as_owner(city.session):
        bulk.load(city.session, INCIDENT, columns)
    query = text("SELECT n_distinct FROM pg_stats WHERE tablename = 'incident' AND attname = 'number'")
    assert city.session.scalar(query) == -1.0


def test_what_is_run_as_owner_keeps_no_plans_and_leaves_the_others_alone(city: City) -> None:
    mode = text("SELECT current_setting('plan_cache_mode')")
    with bulk.as_owner(city.session):
        assert city.session.scalar(mode) == "force_custom_plan"
    assert city.session.scalar(mode) == "auto"
