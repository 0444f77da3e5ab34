"""Reports by residents 居民随手报: without an account, by a page or the code on a building or service card.

A resident may see little: the ground of a community, the kinds of cases that residents may report, open cases nearby of
the same kind (what, roughly where, how long ago, and a photo that staff made public; nothing at all of kinds that are
personal), and of what they reported themselves how far it is. So visitors never read tables: these functions run on a
session without walls and hand out exactly that.

Whoever reports gets a *tracking code*, a random key to the progress of that one case. Only its blind index is kept, so
neither a backup nor a look into the database opens anything. A report that is sent twice (by an impatient thumb) is one
report: the code is derived from a token of the page, and the same token leads to the same code.
"""

from __future__ import annotations

import hmac
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    ForeignKey,
    Index,
    LargeBinary,
    case,
    delete,
    false,
    func,
    or_,
    select,
    text,
    update,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from data import accounts, buildings, grids, incidents, photos, place_codes, teams, units
from data.base import db, language, secrets, settings
from data.base.access import SYSTEM
from data.base.errors import Invalid, NotFound
from data.base.language import _
from data.buildings import Building
from data.incidents import Action, Category, Incident, Step
from data.place_codes import ALPHABET, Place

CODE_LENGTH = 12
CONTACT_DAYS = 30
"""Days after closing until the contact of the one who asked is removed."""
RATING_DAYS = 30
"""Days after closing during which the one who asked can say that it is not settled."""
PHOTOS = 3
"""How many photos a report may have."""
WINDOW = timedelta(hours=1)


class Effort(StrEnum):
    """What is counted by network address, with how often in an hour it may be done; many phones share an address."""

    REPORT = "report"
    PHOTO = "photo"
    TRACK = "track"
    SIMILAR = "similar"
    SECOND = "second"
    OPINION = "opinion"


LIMITS = {
    Effort.REPORT: 20,
    Effort.PHOTO: 80,
    Effort.TRACK: 30,
    Effort.SIMILAR: 60,
    Effort.SECOND: 20,
    Effort.OPINION: 10,
}
CELL_DEG = 0.0005
"""Side of the cells (about 50 m) in which strangers learn that a case is nearby, and no better."""


class TrackingNotFound(NotFound):
    """There is no report with this code."""


class TooOften(accounts.TooManyAttempts):
    """Too much was sent from one network address."""


class Report(db.Dated, db.Table):
    """The resident's side of an incident: the key to its progress, and what they say of the outcome."""

    __tablename__ = "report"

    incident_id: Mapped[int] = mapped_column(
        BigInteger, ForeignKey("incident.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"), index=True)
    place_code_id: Mapped[int | None] = mapped_column(ForeignKey("place_code.id", ondelete="SET NULL"))
    #: blind index of the tracking code
    tracking: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    satisfied: Mapped[bool | None]
    rated_at: Mapped[datetime | None]


class ReportAttempt(db.Table):
    """Something that was sent without an account, kept for as long as it counts."""

    __tablename__ = "report_attempt"
    __audited__ = False
    __table_args__ = (
        CheckConstraint("kind IN ('report', 'photo', 'track', 'similar', 'second', 'opinion')", name="kind"),
        Index("ix_report_attempt_key_at", "key", "at"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    kind: Mapped[str]
    #: blind index of a network address
    key: Mapped[bytes] = mapped_column(LargeBinary)
    at: Mapped[datetime] = mapped_column(server_default=text("clock_timestamp()"))


@dataclass(frozen=True)
class Sent:
    """A report that was taken in."""

    incident: Incident
    tracking: str


@dataclass(frozen=True)
class Stage:
    """One thing that happened to a case, as far as the one who reported it may know."""

    action: str
    at: datetime
    note: str | None
    photos: Sequence[photos.Photo]


@dataclass(frozen=True)
class Progress:
    """How far a report is.

    Attributes
    ----------
    incident
        The case that is followed: the one that it was merged into, if it was.
    own
        The case that was reported.
    may_rate
        Whether the one who reported can say now whether it is settled.
    """

    report: Report
    own: Incident
    incident: Incident
    stages: Sequence[Stage]
    may_rate: bool


def count(session: Session, effort: Effort, address: str) -> None:
    """Note that something was sent from a network address, which itself is not kept.

    Raises
    ------
    TooOften
    """
    key = secrets.blind(f"report from {address}")
    # Nor does what will only be count: a clock was put back.
    old, coming = ReportAttempt.at < func.now() - WINDOW, ReportAttempt.at > func.now() + WINDOW
    session.execute(delete(ReportAttempt).where(old | coming))
    sent = session.scalar(
        select(func.count()).where(ReportAttempt.kind == effort, ReportAttempt.key == key).select_from(ReportAttempt)
    )
    if (sent or 0) >= LIMITS[effort]:
        raise TooOften(_("Too much was sent from this connection. Try again in an hour, or call the community office."))
    session.add(ReportAttempt(kind=effort, key=key))
    session.flush()


def send(
    session: Session,
    where: Place,
    *,
    category_code: str,
    once: str = "",
    lon: float | None = None,
    lat: float | None = None,
    building_id: int | None = None,
    claims: Sequence[str] = (),
    **values: Any,
) -> Sent:
    """Take in what a resident reports, and give it a tracking code.

    Parameters
    ----------
    once
        A random token of the page; the same one again is the same report.
    lon, lat
        Degrees, EPSG:4326. Without a point it is at the building; without one at that of the code that was scanned,
        else where the lamp stands whose number was written.
    claims
        Of photos that were sent before (:func:`photos.store`).
    **values
        ``description``, ``address``, ``answers``, ``contact``, ``accuracy_m``.

    Raises
    ------
    Invalid
        The point lies in no grid of the community, nothing says where it is, or residents report no such category.
    """
    tracking = tracking_of(once or secrets.new_token())
    index = _index(tracking)
    # Two that arrive together wait for each other; the second finds what the first one made.
    session.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": int.from_bytes(index[:7], "big")})
    known = session.scalar(select(Report).where(Report.tracking == index))
    if known is not None:
        return Sent(incidents.get(session, SYSTEM, known.incident_id), tracking)
    category = kind(session, category_code)
    if lon is None and building_id is None:
        lon, lat, building_id = _known_place(session, where, values)
    if lon is not None and lat is not None and grids.locate(session, where.community.id, lon, lat) is None:
        raise Invalid(
            _("This place is outside {name}. Move the pin, or choose the building.", name=where.community.name),
            field="place",
        )
    if category.placed and lon is None and building_id is None and not values.get("address"):
        raise Invalid(_("Say where it is: move the map, choose a building, or describe the place."), field="place")
    if lon is None:
        values["accuracy_m"] = None
    # What is kept is read by staff, whichever language the resident reads.
    with language.using(settings.get().language):
        values["address"] = _address(session, where, building_id, values.get("address"))
    incident = incidents.report(
        session,
        SYSTEM,
        community=where.community,
        category_code=category_code,
        lon=lon,
        lat=lat,
        building_id=building_id,
        source="resident",
        **values,
    )
    session.add(
        Report(
            incident_id=incident.id,
            community_id=where.community.id,
            tracking=index,
            place_code_id=where.code.id if where.code else None,
        )
    )
    session.flush()
    photos.attach(
        session, claims[:PHOTOS], community_id=incident.community_id, grid_id=incident.grid_id, incident_id=incident.id
    )
    return Sent(incident, tracking)


def _known_place(
    session: Session, where: Place, values: Mapping[str, Any]
) -> tuple[float | None, float | None, int | None]:
    """Where a report without a point or a building lies: longitude, latitude, building."""
    if where.building is not None:
        return None, None, where.building.id
    # A lamp with a number stands where it is known to stand.
    texts = [one for one in (values.get("address"), *values.get("answers", {}).values()) if isinstance(one, str)]
    places = filter(None, (place_codes.numbered(session, where.community.id, text) for text in texts))
    return *next(places, (None, None)), None


def _address(session: Session, where: Place, building_id: int | None, typed: str | None) -> str | None:
    """What is noted as the address: the building with what was said beyond, the grid of a card without a place."""
    building = session.get(Building, building_id) if building_id else None
    if building is not None:
        name = buildings.called(building.number, building.name, building.code)
        return f"{name} {typed}"[:200] if typed else building.address or name
    return f"{where.grid.name} {typed}"[:200] if typed and where.grid else typed


def tracking_of(once: str) -> str:
    """Twelve characters (59 bits) that follow from a token and the key of this installation, and look random."""
    digest = secrets.blind(f"tracking {once.encode().hex()}")
    value = int.from_bytes(digest, "big")
    letters = []
    for _place in range(CODE_LENGTH):
        value, rest = divmod(value, len(ALPHABET))
        letters.append(ALPHABET[rest])
    return "".join(letters)


def plain_code(typed: str) -> str:
    """A tracking code as it is stored: capitals, without the hyphens and blanks it is shown with.

    >>> plain_code(" k7m2-q9xt-4hvb ")
    'K7M2Q9XT4HVB'
    """
    return "".join(letter for letter in typed.upper() if letter in ALPHABET)


def shown_code(code: str) -> str:
    """A tracking code in groups of four.

    >>> shown_code("K7M2Q9XT4HVB")
    'K7M2-Q9XT-4HVB'
    """
    return "-".join(code[start : start + 4] for start in range(0, len(code), 4))


def _index(code: str) -> bytes:
    return secrets.blind(f"tracking code {code}")


def progress(session: Session, code: str) -> Progress:
    """How far the report with this tracking code is.

    Raises
    ------
    TrackingNotFound
    """
    index = _index(plain_code(code))
    report = session.scalar(select(Report).where(Report.tracking == index))
    if report is None:
        raise TrackingNotFound(_("There is no report with this code. Check it: it has 12 letters and digits."))
    own = incidents.get(session, SYSTEM, report.incident_id)
    followed = incidents.get(session, SYSTEM, own.merged_into_id) if own.merged_into_id else own
    return Progress(report, own, followed, _stages(session, own), _may_rate(report, followed))


def _stages(session: Session, own: Incident) -> list[Stage]:
    """The report itself, then the public steps of the case; of a merged one also those of the case it went into."""
    pictures = photos.of_incident(session, SYSTEM, own.id)
    if own.merged_into_id is not None:
        pictures += photos.of_incident(session, SYSTEM, own.merged_into_id)
    mine = [one for one in pictures if one.incident_id == own.id and one.step_id is None]
    return [Stage(Action.REPORT, own.reported_at, None, mine)] + [
        Stage(step.action, step.at, step.note, [one for one in pictures if one.public and one.step_id == step.id])
        for step in incidents.steps(session, SYSTEM, own, public=True)
        if step.action != Action.REPORT
    ]


def _may_rate(report: Report, incident: Incident, now: datetime | None = None) -> bool:
    now = now or datetime.now(UTC)
    if incident.id != report.incident_id or incident.step not in (Step.RESOLVED, Step.FEEDBACK_GIVEN, Step.CLOSED):
        return False
    if incident.closed_at is not None and incident.closed_at < now - timedelta(days=RATING_DAYS):
        return False
    # Who was not satisfied opened the case again, so what is settled now was settled after that.
    if not report.satisfied or report.rated_at is None:
        return True
    settled_at = max(filter(None, (incident.resolved_at, incident.feedback_at)), default=None)
    return settled_at is not None and report.rated_at < settled_at


@dataclass(frozen=True)
class InCharge:
    """Who sees to a case, as those may know who reported it: the grid or the community, its leader, and a phone."""

    unit: str
    leader: str | None
    phone: str | None


def in_charge(session: Session, incident: Incident) -> InCharge:
    """Who sees to a case. The phone is that of an office, never somebody's own."""
    community = units.get(session, SYSTEM, incident.community_id)
    grid = units.get(session, SYSTEM, incident.grid_id) if incident.grid_id else None
    if grid is None or incident.level not in (incidents.Level.BUILDING, incidents.Level.GRID):
        return InCharge(community.name, None, community.phone)
    leaders = [one.name for one in teams.of_grid(session, SYSTEM, grid.id) if one.post == teams.Post.LEADER]
    return InCharge(grid.name, leaders[0] if leaders else None, grid.phone or community.phone)


def rate(session: Session, code: str, *, satisfied: bool, note: str = "") -> Progress:
    """What the one who reported says of the outcome: it closes the case, or opens it again.

    Raises
    ------
    TrackingNotFound
    Invalid
        It is not settled yet, was rated already, or was closed too long ago.
    """
    rated = progress(session, code)
    if not rated.may_rate:
        raise Invalid(_("This case cannot be rated now. It is rated once, after it has been settled."))
    rated.report.satisfied, rated.report.rated_at = satisfied, datetime.now(UTC)
    # Staff read it, whichever language the resident reads.
    with language.using(settings.get().language):
        said = (
            _("The resident says that it is settled.") if satisfied else _("The resident says that it is not settled.")
        )
    words = f"{said} {note}".strip()
    if not satisfied:
        action = Action.REOPEN
    else:
        action = Action.CLOSE if rated.incident.step == Step.FEEDBACK_GIVEN else Action.NOTE
    incidents.act(session, SYSTEM, rated.incident, action, note=words, public=True)
    session.flush()
    return progress(session, code)


def photo(session: Session, code: str, photo_id: int) -> photos.Photo:
    """A photo that the one with this tracking code may see.

    Raises
    ------
    TrackingNotFound, PhotoNotFound
    """
    for stage in progress(session, code).stages:
        for one in stage.photos:
            if one.id == photo_id:
                return one
    raise photos.PhotoNotFound(_("Not found, or outside your area."))


def kinds(session: Session) -> list[Category]:
    """The categories that residents may report, with the main ones they lie below, in the order of the list."""
    rows = incidents.categories_offered(session)
    offered = _offered(rows)
    above = {row.parent_code for row in offered.values()}
    return [row for row in rows if row.code in offered or row.code in above]


def kind(session: Session, code: str) -> Category:
    """The category with this code, if residents may report it.

    Raises
    ------
    Invalid
    """
    offered = _offered(incidents.categories_offered(session))
    if code not in offered:
        raise Invalid(
            _("This cannot be reported here. Choose what it is, or call the community office."), field="category_code"
        )
    return offered[code]


def _offered(rows: Sequence[Category]) -> dict[str, Category]:
    parents = {row.parent_code for row in rows}
    return {row.code: row for row in rows if row.reportable and row.code not in parents}


@dataclass(frozen=True)
class Similar:
    """An open case nearby of the same kind, as a stranger may know it."""

    incident_id: int
    category_code: str
    same_building: bool
    age: timedelta
    photo_id: int | None


def similar(
    session: Session,
    community_id: int,
    *,
    category_code: str,
    lon: float | None = None,
    lat: float | None = None,
    building_id: int | None = None,
) -> list[Similar]:
    """Open cases that this one may be: the same kind, nearby or at the same building; the oldest first.

    Whoever asks from many points learns in which cell of ``CELL_DEG`` a case lies, and no better: what is near is
    decided by cells, not by a distance. Of a personal kind there are none.

    Raises
    ------
    Invalid
        Residents report no such category.
    """
    if kind(session, category_code).personal:
        return []
    cells = _cells_around(lon, lat) if lon is not None and lat is not None else None
    same: Any = Incident.building_id == building_id if building_id is not None else false()
    places = [same] if building_id is not None else []
    if cells is not None:
        column, row = (func.floor(axis(Incident.geom) / CELL_DEG) for axis in (func.ST_X, func.ST_Y))
        places.append(column.between(*cells[0]) & row.between(*cells[1]))
    if not places:
        return []
    shown = select(func.min(photos.Photo.id)).where(photos.Photo.incident_id == Incident.id, photos.Photo.public)
    query = (
        select(
            Incident.id.label("incident_id"),
            Incident.category_code,
            func.coalesce(same, false()).label("same_building"),
            (func.now() - Incident.reported_at).label("age"),
            shown.correlate(Incident).scalar_subquery().label("photo_id"),
        )
        .where(
            Incident.community_id == community_id,
            Incident.category_code == category_code,
            Incident.state.in_(incidents.OPEN),
            or_(*places),
        )
        .order_by(Incident.reported_at, Incident.id)
        .limit(_MOST_SIMILAR)
    )
    return [Similar(**row._mapping) for row in session.execute(query)]


_MOST_SIMILAR = 3


def _cells_around(lon: float, lat: float) -> tuple[tuple[int, int], tuple[int, int]]:
    """The first and the last column and row of the cell of a point and those around it."""
    column, row = math.floor(lon / CELL_DEG), math.floor(lat / CELL_DEG)
    return (column - 1, column + 1), (row - 1, row + 1)


def photo_key(photo_id: int) -> str:
    """What makes the address of a public photo impossible to guess by counting."""
    return secrets.blind(f"public photo {photo_id}").hex()[:20]


def public_photo(session: Session, photo_id: int, key: str) -> photos.Photo:
    """A photo that staff made public.

    Raises
    ------
    PhotoNotFound
    """
    found = session.get(photos.Photo, photo_id)
    if found is None or not found.public or not hmac.compare_digest(key.encode(), photo_key(photo_id).encode()):
        raise photos.PhotoNotFound(_("Not found, or outside your area."))
    return found


def of_incident(session: Session, incident_id: int) -> Report | None:
    """The resident's side of an incident that the actor was shown to see; ``None`` when no resident reported it."""
    return session.get(Report, incident_id)


def forget_contacts(session: Session, now: datetime | None = None) -> int:
    """Remove the contacts of cases that were closed, merged or declined ``CONTACT_DAYS`` ago; returns how many.

    Runs on a session without walls.
    """
    before = (now or datetime.now(UTC)) - timedelta(days=CONTACT_DAYS)
    # A merged case ends with the one it went into; a declined one has no day of closing of its own.
    ended = case((Incident.step == Step.REJECTED, Incident.updated_at), else_=Incident.closed_at)
    done = session.execute(
        update(Incident)
        .where(Incident.contact.is_not(None), ended < before)
        .values(contact=None, updated_at=Incident.updated_at)
        .execution_options(synchronize_session=False)
    )
    return int(done.rowcount)  # type: ignore[attr-defined]


def read_answers(questions: Sequence[Mapping[str, Any]], typed: Mapping[str, str]) -> dict[str, Any]:
    """What was typed as the kinds of answers that a category's questions want; see ``incidents.check_answers``.

    Raises
    ------
    Invalid
        With ``faults``: code of the question → sentence.
    """
    answers: dict[str, Any] = {}
    faults: dict[str, str] = {}
    for question in questions:
        code, kind = str(question["code"]), question["kind"]
        value = typed.get(code, "").strip()
        if not value:
            if question.get("required"):
                faults[code] = _("Answer this.")
        elif kind == "number":
            try:
                answers[code] = float(value) if "." in value else int(value)
            except ValueError:
                faults[code] = _("Give a number.")
        elif kind == "yes_no":
            answers[code] = value == "yes"
        else:
            answers[code] = value[:500]
    if faults:
        raise Invalid(_("Some questions have no answer yet."), faults=faults)
    return answers


def most_reported(session: Session, community_id: int) -> list[str]:
    """The codes of the categories with the most cases in a community, the commonest first."""
    query = (
        select(Incident.category_code)
        .where(Incident.community_id == community_id)
        .group_by(Incident.category_code)
        .order_by(func.count().desc(), Incident.category_code)
    )
    return list(session.scalars(query))


def new_once() -> str:
    """A token for a page by which a report that is sent twice is known to be one."""
    return secrets.new_token()
