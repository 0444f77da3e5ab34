"""Photos 照片: checked by what they are, stripped of what they betray, kept by the hash of their content.

A photo is taken in only when it can be decoded as one (JPEG, PNG or WebP); name and declared type count for nothing.
What is kept is drawn anew (``data.files.pictures``): upright, not too large, and without any metadata, so neither the
place nor the device nor a hidden thumbnail of the original survives. The position that the camera wrote is handed back
once, to whoever took the photo, who may offer it as the place of a case.

The files lie below ``WANGGE_HOME/uploads/photos`` under the SHA-256 of the picture, the small one beside the large one,
sealed like all uploads (``data.base.sealed``), and go into backups with them. A photo belongs to an incident, to a step
of one, or to a patrol; one that belongs to nothing after a day is an orphan and is removed (:func:`clean`).
"""

from __future__ import annotations

import hashlib
import os
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import (
    BigInteger,
    ColumnElement,
    ForeignKey,
    Index,
    LargeBinary,
    delete,
    false,
    select,
    text,
)
from sqlalchemy.orm import Mapped, Session, mapped_column

from data.base import access, db, room, sealed, secrets, settings
from data.base.access import Actor
from data.base.errors import Busy, NotFound
from data.base.language import _
from data.files import pictures
from data.files.pictures import NotAPhoto, Picture
from data.incidents import Incident

PER_RECORD = 9
"""How many photos one step of a case may have."""
UNCLAIMED = timedelta(days=1)
_SPARE_S = 3600.0
#: Photos are decoded one after the other: each may take 300 MB while it lasts, which is about half a second.
_decoding = threading.BoundedSemaphore(1)
_PATIENCE_S = 20.0


class PhotoNotFound(NotFound):
    """There is no such photo, or it belongs to something outside the actor's area."""


class Photo(db.Table):
    """A photo of an incident or a step of one, a patrol, an activity: seen by whoever sees what it belongs to."""

    __tablename__ = "photo"
    __read__ = "incident.read"
    __table_args__ = (
        Index("ix_photo_incident_id", "incident_id", postgresql_where=text("incident_id IS NOT NULL")),
        Index("ix_photo_patrol_id", "patrol_id", postgresql_where=text("patrol_id IS NOT NULL")),
        Index("ix_photo_activity_id", "activity_id", postgresql_where=text("activity_id IS NOT NULL")),
        Index("ix_photo_step_id", "step_id", postgresql_where=text("step_id IS NOT NULL")),
        Index("ix_photo_claim", "claim", postgresql_where=text("claim IS NOT NULL")),
        Index("ix_photo_sha256", "sha256"),
    )

    id: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    community_id: Mapped[int] = mapped_column(ForeignKey("unit.id"))
    grid_id: Mapped[int | None] = mapped_column(ForeignKey("unit.id"))
    incident_id: Mapped[int | None] = mapped_column(ForeignKey("incident.id", ondelete="CASCADE"))
    step_id: Mapped[int | None] = mapped_column(ForeignKey("incident_step.id", ondelete="CASCADE"))
    patrol_id: Mapped[int | None] = mapped_column(ForeignKey("patrol.id", ondelete="SET NULL"))
    activity_id: Mapped[int | None] = mapped_column(ForeignKey("activity.id", ondelete="CASCADE"))
    #: SHA-256 of the picture, as hexadecimal digits
    sha256: Mapped[str]
    width: Mapped[int]
    height: Mapped[int]
    size: Mapped[int]
    #: whether anybody may see it: staff made it public with a step that is
    public: Mapped[bool] = mapped_column(server_default=text("false"))
    #: blind index of the token by which somebody without an account says that an unattached photo is theirs
    claim: Mapped[bytes | None] = mapped_column(LargeBinary)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("account.id"))
    created_at: Mapped[datetime] = mapped_column(server_default=text("now()"))

    @classmethod
    def within(cls, area: access.Area) -> ColumnElement[bool]:
        """A photo of an incident lies where the incident does, whoever moves it; any other where it was taken."""
        if not area:
            return false()
        of_incident = cls.incident_id.in_(select(Incident.id).where(Incident.within(area)))
        alone = cls.incident_id.is_(None) & access.in_area(area, cls.community_id, cls.grid_id)
        return of_incident | alone


@dataclass(frozen=True)
class Stored:
    """A photo that was taken in, and what its camera had noted, which is kept nowhere.

    Attributes
    ----------
    lon, lat
        Degrees, EPSG:4326 (cameras write WGS 84); ``None`` when there was no position that can be one.
    claim
        The token by which somebody without an account attaches the photo; empty when it is attached already.
    """

    photo: Photo
    lon: float | None = None
    lat: float | None = None
    claim: str = ""


def read(content: bytes) -> Picture:
    """Check that ``content`` is a photo, and have it drawn anew without its metadata, behind the walls for readers.

    Raises
    ------
    NotAPhoto
        It is empty, too large, of another kind, damaged, or unfolds into too many pixels. The sentence says which.
    Invalid
        It takes too much memory or time.
    Busy
        Many others are waiting to be decoded.
    """
    most = settings.get().photo_max_mb
    if not content:
        raise NotAPhoto(_("The photo is empty. Choose another one."))
    if len(content) > most * 1_000_000:
        raise NotAPhoto(
            _(
                "The photo has {size} MB, more than {most} MB. Take it at a lower resolution.",
                size=f"{len(content) / 1e6:.1f}",
                most=most,
            )
        )
    if not _decoding.acquire(timeout=_PATIENCE_S):
        raise Busy(_("Many photos are being sent just now. Try again in a moment."))
    try:
        return pictures.read_confined(content)
    finally:
        _decoding.release()


def store(
    session: Session,
    actor: Actor,
    content: bytes,
    *,
    community_id: int,
    grid_id: int | None = None,
    incident_id: int | None = None,
    step_id: int | None = None,
    patrol_id: int | None = None,
    activity_id: int | None = None,
    public: bool = False,
) -> Stored:
    """Take a photo in. One that belongs to nothing yet gets a claim, to be attached by (:func:`attach`).

    Raises
    ------
    NotAPhoto
        See :func:`read`.
    """
    access.require(actor, "incident.report", community_id, grid_id)
    room.require(len(content))
    picture = read(content)
    sha256 = hashlib.sha256(picture.large).hexdigest()
    _write(place(sha256), picture.large)
    _write(place(sha256, thumbnail=True), picture.small)
    waits = incident_id is None and step_id is None and patrol_id is None and activity_id is None
    claim = secrets.new_token() if waits else ""
    photo = Photo(
        community_id=community_id,
        grid_id=grid_id,
        incident_id=incident_id,
        step_id=step_id,
        patrol_id=patrol_id,
        activity_id=activity_id,
        sha256=sha256,
        width=picture.width,
        height=picture.height,
        size=len(picture.large),
        public=public,
        claim=secrets.token_hash(claim) if claim else None,
        account_id=actor.account_id,
    )
    session.add(photo)
    session.flush()
    return Stored(photo, picture.lon, picture.lat, claim)


def attach(
    session: Session,
    claims: Sequence[str],
    *,
    community_id: int,
    grid_id: int | None,
    incident_id: int,
    step_id: int | None = None,
) -> int:
    """Give photos to an incident, by the claims that came with them; returns how many were there to give.

    A claim is good once, and only in the community where the photo was sent.
    """
    hashes = [secrets.token_hash(claim) for claim in claims[:PER_RECORD]]
    found = session.scalars(
        select(Photo).where(Photo.claim.in_(hashes), Photo.community_id == community_id).order_by(Photo.id)
    ).all()
    for photo in found:
        photo.incident_id, photo.step_id, photo.grid_id, photo.claim = incident_id, step_id, grid_id, None
    session.flush()
    return len(found)


def get(session: Session, actor: Actor, photo_id: int) -> Photo:
    """The photo with this id.

    Raises
    ------
    PhotoNotFound
    """
    found = session.scalar(access.visible(select(Photo).where(Photo.id == photo_id), actor, Photo))
    if found is None:
        raise PhotoNotFound(_("Not found, or outside your area."))
    return found


def of_incident(session: Session, actor: Actor, incident_id: int) -> list[Photo]:
    """The photos of an incident and of its steps, oldest first."""
    query = select(Photo).where(Photo.incident_id == incident_id).order_by(Photo.id)
    return list(session.scalars(access.visible(query, actor, Photo)))


def publish(session: Session, actor: Actor, photo: Photo, *, public: bool) -> None:
    """Let everybody see a photo, or only those who see its incident."""
    access.require(actor, "incident.edit", photo.community_id, photo.grid_id)
    photo.public = public
    session.flush()


def remove(session: Session, actor: Actor, photo: Photo) -> None:
    """Remove a photo. Its files go with the next :func:`clean`, for another record may have the same ones."""
    access.require(actor, "incident.edit", photo.community_id, photo.grid_id)
    session.delete(photo)
    session.flush()


def content(photo: Photo, *, thumbnail: bool = False) -> bytes:
    """The picture itself, as JPEG.

    Raises
    ------
    PhotoNotFound
        Its file is gone.
    Unreadable
        Its file is damaged, or its keys are lost.
    """
    try:
        return b"".join(sealed.read(place(photo.sha256, thumbnail=thumbnail)))
    except FileNotFoundError:
        raise PhotoNotFound(_("The file of this photo is gone.")) from None


def seal_what_is_in_clear() -> int:
    """Seal the photos that were taken in before photos were sealed; returns how many files."""
    count = 0
    for path in _files():
        with suppress(FileNotFoundError):  # it belonged to nothing, and has just been removed
            count += not path.name.endswith(".part") and sealed.seal_in_place(path)
    return count


def place(sha256: str, *, thumbnail: bool = False) -> Path:
    """Where a photo's file lies."""
    name = f"{sha256}.small" if thumbnail else sha256
    return settings.get().uploads / "photos" / sha256[:2] / name


def clean(session: Session, now: datetime | None = None) -> int:
    """Remove photos that belong to nothing after a day, and files that no photo has; returns how many files went.

    Runs on a session without walls. A file younger than an hour stays: its row may not be written yet.
    """
    now = now or datetime.now(UTC)
    session.execute(
        delete(Photo)
        .where(
            Photo.incident_id.is_(None),
            Photo.step_id.is_(None),
            Photo.patrol_id.is_(None),
            Photo.created_at < now - UNCLAIMED,
        )
        .execution_options(synchronize_session=False)
    )
    session.flush()
    if not session.scalar(text("SELECT pg_try_advisory_xact_lock(:room, 0)"), {"room": sealed.LOCK_ROOM}):
        return 0  # a backup copies them
    kept = set(session.scalars(select(Photo.sha256).distinct()))
    old = now.timestamp() - _SPARE_S
    gone = 0
    for path in _files():
        if path.name.partition(".")[0] not in kept and path.stat().st_mtime < old:
            path.unlink(missing_ok=True)
            gone += 1
    return gone


def _files() -> Iterator[Path]:
    folder = settings.get().uploads / "photos"
    if folder.is_dir():
        yield from (path for path in sorted(folder.rglob("*")) if path.is_file())


def _write(path: Path, content: bytes) -> None:
    """Write a file so that it has its name only when it is whole."""
    if path.exists():
        # It is needed again, so a clean-up that runs now must not think it old.
        os.utime(path, (time.time(), time.time()))
        return
    sealed.write(path, [content])
