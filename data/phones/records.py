"""What a phone sends: visits recorded without a network, each of which takes effect exactly once.

==========================================  ============================================================================
what happened meanwhile                     what becomes of the record
==========================================  ============================================================================
it was sent before                          the same answer again
boundaries, teams or rights changed         it counts for whoever did it: it is held against what its walker was allowed
                                            to do, and which households there were, when the phone took them along
somebody changed the same fact              the visit counts; both values are kept until somebody chooses
it cannot be taken at all                   it is refused with a sentence and kept, to be mended or dropped; what
                                            follows it goes on
==========================================  ============================================================================
"""

from __future__ import annotations

import base64
import itertools
import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import Row, select
from sqlalchemy.orm import Session

from data import accounts, duplicates, households, visits
from data.base import access, db
from data.base.access import Actor, Area, Rows
from data.base.errors import Conflict, Forbidden, Invalid, NotFound, WanggeError
from data.base.language import _
from data.duplicates import Kind
from data.households import Household, Resident
from data.phones.tables import (
    Choice,
    Phone,
    PhoneDifference,
    PhoneHousehold,
    PhoneLost,
    PhoneNotFound,
    PhoneRecord,
    RecordState,
)
from data.phones.taking import COUNTS_DAYS, FACTS, LASTS_DAYS, get, seen, unsealed
from data.visits import Manner, Outcome

#: More records than these go in several requests.
MOST_RECORDS = 200
#: A file with more than this is none that a phone wrote.
MOST_BYTES = 10_000_000


@dataclass(frozen=True, kw_only=True)
class Fact:
    """A fact of the archive as it was found at the door.

    Attributes
    ----------
    of, of_id, field
        Of what; ``FACTS`` lists which.
    seen
        What stood for the value that the phone showed (``taking.seen``).
    """

    of: str
    of_id: int
    field: str
    value: str | None
    seen: str


@dataclass(frozen=True, kw_only=True)
class Record:
    """A visit as a phone recorded it: as ``visits.record`` takes it, with the facts that changed."""

    uuid: UUID
    household_id: int
    outcome: Outcome
    at: datetime
    manner: Manner = Manner.VISIT
    resident_id: int | None = None
    said: str | None = None
    card: bool = False
    request: dict[str, Any] | None = None
    answer: str | None = None
    facts: Sequence[Fact] = field(default=())


@dataclass(frozen=True)
class Answer:
    """What became of a record, and why it was refused."""

    uuid: UUID
    state: RecordState
    reason: str | None = None


def accept(session: Session, actor: Actor, phone: Phone, records: Sequence[Record]) -> list[Answer]:
    """Take records of a phone in, in their order; the answers are in the same one.

    Raises
    ------
    PhoneNotFound, PhoneLost
    """
    if phone.account_id != actor.account_id:
        raise PhoneNotFound(_("Not found, or outside your area."))
    if phone.lost_at is not None:
        raise PhoneLost(_("This phone was reported lost. It takes nothing along any more, and forgets what it has."))
    return _accept(session, actor, phone, records)


def opened(session: Session, actor: Actor, content: bytes) -> tuple[Phone, Any]:
    """The phone that wrote a file of what it could not send, and what stands in the file, as JSON.

    Raises
    ------
    Invalid
        It is no such file.
    PhoneNotFound
        The phone is somebody else's, in a community where the actor does not arrange visits.
    """
    try:
        if len(content) > MOST_BYTES:
            raise ValueError("too long")
        letter = json.loads(content)
        phone_uuid = UUID(letter["phone"])
        iv, sealed = (base64.b64decode(letter[name], validate=True) for name in ("iv", "data"))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise Invalid(no_letter(), field="file") from error
    phone = get(session, actor, phone_uuid, lock=True)
    return phone, unsealed(phone, iv, sealed)


def no_letter() -> str:
    """What is said of a file that no phone wrote."""
    return _("This is no file that a phone wrote. Choose the one it saved.")


def hand_in(session: Session, actor: Actor, phone: Phone, records: Sequence[Record]) -> list[Answer]:
    """Take in what a phone wrote to a file (``opened``); it counts for the phone's walker."""
    answers = _accept(session, replace(actor, account_id=phone.account_id), phone, records)
    db.enter(session, actor)
    return answers


def _accept(session: Session, walker: Actor, phone: Phone, records: Sequence[Record]) -> list[Answer]:
    session.refresh(phone, with_for_update=True)  # what it sends twice at once comes one after the other
    records = _named_anew(session, records)
    query = select(PhoneRecord).where(PhoneRecord.uuid.in_([record.uuid for record in records]))
    known = {sent.uuid: Answer(sent.uuid, RecordState(sent.state), sent.reason) for sent in session.scalars(query)}
    taken = _taken(session, phone, records)

    def place(record: Record) -> int | None:
        held = taken.get(record.household_id)
        # Later than that the phone had forgotten the household.
        return None if held is None or record.at > held.taken_at + timedelta(days=LASTS_DAYS) else held.community_id

    for community_id, following in itertools.groupby(records, place):
        with _acting(session, walker, phone, community_id) as acting:
            for record in following:
                if record.uuid not in known:
                    known[record.uuid] = _taken_in(session, acting, phone, record)
    return [known[record.uuid] for record in records]


def _named_anew(session: Session, records: Sequence[Record]) -> list[Record]:
    """The records by the ids that their people and households have since they were merged with others."""
    homes = duplicates.now(session, Kind.HOUSEHOLD, {record.household_id for record in records})
    facts = [fact.of_id for record in records for fact in record.facts if fact.of == Kind.RESIDENT]
    met = [record.resident_id for record in records if record.resident_id]
    people = duplicates.now(session, Kind.RESIDENT, {*facts, *met})
    if not homes and not people:
        return list(records)
    ids = {"household": homes, "resident": people}
    return [
        replace(
            record,
            household_id=homes.get(record.household_id, record.household_id),
            resident_id=people.get(record.resident_id or 0, record.resident_id),
            facts=[replace(fact, of_id=ids.get(fact.of, {}).get(fact.of_id, fact.of_id)) for fact in record.facts],
        )
        for record in records
    ]


def _taken(session: Session, phone: Phone, records: Sequence[Record]) -> dict[int, Row[Any]]:
    """Household → ``community_id taken_at``, of those that the phone took along and that still count for it."""
    query: Rows = select(PhoneHousehold.household_id, PhoneHousehold.community_id, PhoneHousehold.taken_at)
    query = query.where(
        PhoneHousehold.phone_id == phone.id,
        PhoneHousehold.household_id.in_({record.household_id for record in records}),
        PhoneHousehold.taken_at >= datetime.now(UTC) - timedelta(days=COUNTS_DAYS),
    )
    return {row.household_id: row for row in session.execute(query)}


def _taken_in(session: Session, acting: Actor, phone: Phone, record: Record) -> Answer:
    sent = PhoneRecord(uuid=record.uuid, phone_id=phone.id, at=record.at, state=RecordState.DONE)
    try:
        with session.begin_nested():
            household = households.get(session, acting, record.household_id)
            visits.record(session, acting, household, **{name: getattr(record, name) for name in _OF_VISIT})
            differing = [fact for fact in record.facts if not _set_right(session, acting, household, fact)]
            sent.state = RecordState.DIFFERS if differing else RecordState.DONE
            session.add(sent)
            session.flush()
            session.add_all(_difference(household, phone, record, fact) for fact in differing)
            session.flush()
    except WanggeError as error:
        sent = PhoneRecord(uuid=record.uuid, phone_id=phone.id, at=record.at, state=RecordState.REFUSED)
        sent.reason, sent.said = str(error), json.dumps(asdict(record), default=str, ensure_ascii=False)
        session.add(sent)
        session.flush()
    return Answer(record.uuid, RecordState(sent.state), sent.reason)


_OF_VISIT = ("uuid", "outcome", "manner", "at", "resident_id", "said", "card", "request", "answer")


@contextmanager
def _acting(session: Session, walker: Actor, phone: Phone, community_id: int | None) -> Iterator[Actor]:
    """The walker with what was allowed when the phone took households of a community along, for records of those.

    Only the households themselves are read so, and what is written of them. It is no more than the walker had then:
    they were on the phone.
    """
    if community_id is None:
        yield walker
        return
    here = Area(communities=frozenset({community_id}), units=frozenset({community_id}))
    held = {code: walker.area(code) | here for code in phone.may}
    acting = replace(walker, permissions={**walker.permissions, **held})
    db.enter(session, acting)
    try:
        yield acting
    finally:
        db.enter(session, walker)


def _set_right(session: Session, acting: Actor, household: Household, fact: Fact) -> bool:
    """Set a fact right; False where it has to be chosen, or the walker may not change archives."""
    record = _of(session, acting, household, fact.of, fact.of_id, fact.field)
    now = getattr(record, fact.field)
    if (now or None) == (fact.value or None):
        return True
    if seen(fact.of, fact.of_id, fact.field, now) != fact.seen:
        return False
    try:
        _change(session, acting, record, fact.field, fact.value)
    except Forbidden:
        return False
    return True


def _of(session: Session, actor: Actor, household: Household, of: str, of_id: int, name: str) -> Household | Resident:
    """What a fact is of: the household, or one of its members."""
    if name not in FACTS.get(of, ()):
        raise Invalid(_("“{field}” is no fact that is set right at the door.", field=name), field="body.facts")
    if of == "household":
        if of_id != household.id:
            raise Invalid(_("The fact is of another household."), field="body.facts")
        return household
    resident = households.get_resident(session, actor, of_id)
    if resident.household_id != household.id:
        raise Invalid(_("The one whose fact it is has moved to another household."), field="body.facts")
    return resident


def _change(session: Session, actor: Actor, record: Household | Resident, name: str, value: str | None) -> None:
    if isinstance(record, Household):
        households.change(session, actor, record, **{name: value})
    else:
        households.change_resident(session, actor, record, **{name: value})


def _difference(household: Household, phone: Phone, record: Record, fact: Fact) -> PhoneDifference:
    return PhoneDifference(
        record_uuid=record.uuid,
        community_id=household.community_id,
        household_id=household.id,
        of=fact.of,
        of_id=fact.of_id,
        field=fact.field,
        value=fact.value,
        account_id=phone.account_id,
        at=record.at,
    )


def differences(
    session: Session, actor: Actor, *, household_id: int | None = None
) -> Sequence[Row[PhoneDifference, str]]:
    """The facts on which a phone and the archive differ and nobody has chosen, with the name of who was at the door.

    Their values are **not masked**.
    """
    query = (
        select(PhoneDifference, accounts.Account.name)
        .join(accounts.Account, accounts.Account.id == PhoneDifference.account_id)
        .where(PhoneDifference.choice.is_(None))
        .order_by(PhoneDifference.id)
    )
    if household_id is not None:
        query = query.where(PhoneDifference.household_id == household_id)
    return session.execute(access.visible(query, actor, PhoneDifference)).all()


def stands(session: Session, actor: Actor, difference: PhoneDifference) -> str | None:
    """What stands in the archive now, **not masked**; ``None`` as well where the one whose it is has gone."""
    try:
        household = households.get(session, actor, difference.household_id)
        record = _of(session, actor, household, difference.of, difference.of_id, difference.field)
    except (NotFound, Invalid):
        return None
    value: str | None = getattr(record, difference.field)
    return value


def decide(session: Session, actor: Actor, difference_id: int, choice: Choice) -> PhoneDifference:
    """Choose one of two values; who chose which is kept, and the audit has the change.

    Raises
    ------
    NotFound, Forbidden
    Conflict
        Somebody else has chosen.
    """
    query = access.visible(select(PhoneDifference).where(PhoneDifference.id == difference_id), actor, PhoneDifference)
    difference = session.scalar(query.with_for_update())
    if difference is None:
        raise NotFound(_("Not found, or outside your area."))
    household = households.get(session, actor, difference.household_id)
    access.require(actor, "household.edit", household.community_id, households.grid_of(session, household))
    if difference.choice is not None:
        raise Conflict(_("Somebody else has chosen already."))
    if choice == Choice.PHONES:
        record = _of(session, actor, household, difference.of, difference.of_id, difference.field)
        _change(session, actor, record, difference.field, difference.value)
    difference.choice, difference.decided_by = choice, actor.account_id
    difference.decided_at = datetime.now(UTC)
    session.flush()
    return difference


def refused(session: Session, phone: Phone) -> Sequence[Row[Any]]:
    """What was refused of a phone that the actor was shown to see, oldest first: ``uuid reason at``."""
    query: Rows = select(PhoneRecord.uuid, PhoneRecord.reason, PhoneRecord.at)
    query = query.where(PhoneRecord.phone_id == phone.id, PhoneRecord.state == RecordState.REFUSED)
    return session.execute(query.order_by(PhoneRecord.at)).all()


def drop(session: Session, actor: Actor, phone: Phone, uuid: UUID) -> None:
    """Give up a record that was refused: by its walker, or by whoever arranges visits.

    Raises
    ------
    NotFound
    """
    if phone.account_id != actor.account_id:
        access.require(actor, "visit.edit", phone.community_id)
    query = select(PhoneRecord).where(PhoneRecord.uuid == uuid, PhoneRecord.phone_id == phone.id)
    sent = session.scalar(query.where(PhoneRecord.state == RecordState.REFUSED))
    if sent is None:
        raise NotFound(_("Not found, or outside your area."))
    sent.state, sent.said = RecordState.DROPPED, None
    session.flush()
