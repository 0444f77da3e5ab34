"""Keys are made once and never silently again; what cannot be decrypted keeps nobody from anything else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine, select, text, update

from data import keys, units
from data.base import access, cluster, db, secrets
from data.base.cluster import Cluster
from data.base.secrets import Keys, Unreadable
from data.households import Household
from tests.conftest import cloned


@pytest.fixture
def engine(cluster: Cluster, worker: str, new_home: Path) -> Iterator[Engine]:
    """An engine on an empty migrated database, whose installation has no keys yet."""
    with cloned(cluster, f"wangge_keys_{worker}") as (_dsn, engine):
        yield engine


def put_phone(engine: Engine, phone: str = "13800006021") -> None:
    """A household with an encrypted phone."""
    with db.transaction(access.SYSTEM, engine) as session:
        above = None
        for level, code in (("district", "310101"), ("street", "310101001"), ("community", "310101001001")):
            above = units.add(session, access.SYSTEM, level=units.Level(level), code=code, name=level, parent=above)
        assert above is not None
        session.add(Household(community_id=above.id, number="1", phone=phone, unlocated_reason="no_place"))


def phone_of(engine: Engine) -> str | None:
    """The phone as the program reads it."""
    with db.transaction(access.SYSTEM, engine) as session:
        return session.scalar(select(Household.phone))


def replace_keys(new_home: Path) -> None:
    """Put other keys into the key file."""
    (new_home / "keys.json").write_text(Keys.new().to_json())
    secrets.forget()


def test_keys_are_made_for_an_empty_database_and_known_by_their_fingerprint(engine: Engine, new_home: Path) -> None:
    keys.check(engine)
    made = secrets.stored()
    assert made is not None
    assert (new_home / "keys.json").stat().st_mode & 0o077 == 0
    with engine.connect() as connection:
        assert keys.marked(connection) == made.fingerprint
    keys.check(engine)
    assert secrets.stored() == made
    assert Keys(made.encryption, made.encryption).fingerprint != made.fingerprint != Keys.new().fingerprint


def test_a_missing_key_file_stops_everything_and_is_not_replaced(engine: Engine, new_home: Path) -> None:
    keys.check(engine)
    put_phone(engine)
    held = (new_home / "keys.json").read_text()
    (new_home / "keys.json").unlink()
    with pytest.raises(secrets.KeysMissing, match="is missing"):
        keys.check(engine)
    with pytest.raises(secrets.KeysMissing, match="is missing"):
        secrets.encrypt("anything")
    assert not (new_home / "keys.json").exists()

    (new_home / "keys.json").write_text(held)
    keys.check(engine)
    assert phone_of(engine) == "13800006021"


def test_other_keys_and_a_damaged_key_file_stop_everything(engine: Engine, new_home: Path) -> None:
    keys.check(engine)
    replace_keys(new_home)
    with pytest.raises(keys.WrongKeys, match="are not those of this database"):
        keys.check(engine)
    for damaged in ("", "{}", "[]", '{"encryption": "AAAA", "index": "AAAA"}', "\x00\xff"):
        (new_home / "keys.json").write_text(damaged, encoding="latin-1")
        with pytest.raises(secrets.KeysDamaged, match="is damaged"):
            keys.check(engine)


def test_a_database_from_before_fingerprints_takes_only_keys_that_open_its_fields(
    engine: Engine, new_home: Path
) -> None:
    keys.check(engine)
    put_phone(engine)
    right = (new_home / "keys.json").read_text()
    with engine.begin() as connection:
        connection.execute(text("DELETE FROM key_mark"))

    (new_home / "keys.json").unlink()
    with pytest.raises(secrets.KeysMissing, match="holds encrypted fields"):
        keys.check(engine)
    replace_keys(new_home)
    with pytest.raises(keys.WrongKeys, match="do not open"):
        keys.check(engine)
    (new_home / "keys.json").write_text(right)
    keys.check(engine)
    with engine.connect() as connection:
        assert keys.marked(connection) == Keys.from_json(right).fingerprint


def test_an_unreadable_field_is_shown_as_such_and_is_not_written_back(
    engine: Engine, new_home: Path, caplog: pytest.LogCaptureFixture
) -> None:
    keys.check(engine)
    put_phone(engine)
    secrets._logged["next_at"] = 0.0
    with engine.begin() as connection:
        connection.execute(text("UPDATE household SET phone = set_byte(phone, 14, get_byte(phone, 14) # 1)"))
    read = phone_of(engine)
    assert isinstance(read, Unreadable)
    assert read == "cannot be decrypted"
    assert "could not be decrypted" in caplog.text
    assert "138" not in caplog.text
    assert secrets.mask_phone(read) == secrets.mask_name(read) == secrets.mask_identity(read) == read

    with engine.begin() as connection:
        connection.execute(text("UPDATE household SET phone = 'short'"))
    assert isinstance(phone_of(engine), Unreadable)
    for written in (read, str(read), "无法解密", " cannot be decrypted"):
        with pytest.raises(secrets.NoValue, match="is no value"), db.transaction(access.SYSTEM, engine) as session:
            session.execute(update(Household).values(phone=written))


def test_lost_keys_are_declared_with_what_is_lost_and_nothing_else_is_touched(engine: Engine, new_home: Path) -> None:
    keys.check(engine)
    put_phone(engine)
    with db.transaction(access.SYSTEM, engine) as session, pytest.raises(keys.NothingLost):
        keys.declare_lost(session, [])
    old = secrets.keys().fingerprint
    (new_home / "keys.json").unlink()
    secrets.forget()
    with engine.connect() as connection:
        assert keys.is_lost(connection)
        fields = list(keys.counted(connection))
    assert fields == [keys.Field("household.phone", 1, 1)]

    with db.transaction(access.SYSTEM, engine) as session:
        new = keys.declare_lost(session, fields)
    keys.check(engine)
    assert isinstance(phone_of(engine), Unreadable)
    with engine.connect() as connection:
        assert keys.marked(connection) == new != old
        row = connection.execute(text("SELECT fingerprint, lost FROM key_mark WHERE lost_at IS NOT NULL")).one()
        assert tuple(row) == (old, {"household.phone": 1})
        assert connection.scalar(text("SELECT count(*) FROM audit WHERE action = 'keys_lost'")) == 1
    with db.transaction(access.SYSTEM, engine) as session:
        session.execute(update(Household).values(phone="13900001111"))
    assert phone_of(engine) == "13900001111"


def test_keys_cannot_be_declared_lost_nor_a_backup_restored_while_a_server_runs(new_home: Path) -> None:
    with cluster.alone(new_home), pytest.raises(cluster.Busy, match="Stop it first"), cluster.alone(new_home):
        raise AssertionError
