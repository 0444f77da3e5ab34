"""Photos 照片: checked by what they are, stripped of what they betray, kept by the hash of their content.

A photo is taken in only when it can be decoded as one (JPEG, PNG or WebP); name and declared type count for nothing.
What is kept is drawn anew: turned upright, at most ``LONGEST`` pixels long, and without any metadata, so neither the
place nor the device nor a hidden thumbnail of the original survives. The position that the camera wrote is handed back
once, to whoever took the photo, who may offer it as the place of a case.

The files lie below ``WANGGE_HOME/uploads/photos`` under their SHA-256, the small picture beside the large one, and go
into backups with the other uploads. A photo belongs to an incident, to a step of one, or to a patrol; one that belongs
to nothing after a day is an orphan and is removed (:func:`clean`).
"""

from __future__ import annotations

import hashlib
import io
import math
import os
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

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

from data.base import access, db, secrets, settings
from data.base.access import Actor
from data.base.errors import Invalid, NotFound
from data.base.language import _
from data.incidents import Incident

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST = 2048
"""The longest side of a kept photo, in pixels: a house number is still legible, and a case's photos load on a phone."""
THUMBNAIL = 360
"""The longest side of the small picture, in pixels."""
MOST_PIXELS = 64_000_000
"""More than any phone writes by default (50 million); a small file that unfolds into more is a decompression bomb."""
PER_RECORD = 9
"""How many photos one step of a case may have."""
UNCLAIMED = timedelta(days=1)
_FORMATS = ("JPEG", "PNG", "WEBP")
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_GPS = 0x8825
_SPARE_S = 3600.0


class PhotoNotFound(NotFound):
    """There is no such photo, or it belongs to something outside the actor's area."""


class NotAPhoto(Invalid):
    """What was sent cannot be taken in as a photo."""


class Photo(db.Table):
    """A photo of an incident, of a step of one, or of a patrol. It is seen by whoever sees what it belongs to."""

    __tablename__ = "photo"
    __read__ = "incident.read"
    __table_args__ = (
        Index("ix_photo_incident_id", "incident_id", postgresql_where=text("incident_id IS NOT NULL")),
        Index("ix_photo_patrol_id", "patrol_id", postgresql_where=text("patrol_id IS NOT NULL")),
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
    #: SHA-256 of the kept file, as hexadecimal digits
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


@dataclass(frozen=True)
class Picture:
    """A photo as it is kept: two JPEG files and what was noted in the original."""

    large: bytes
    small: bytes
    width: int
    height: int
    lon: float | None
    lat: float | None


def read(content: bytes) -> Picture:
    """Check that ``content`` is a photo, and draw it anew without its metadata.

    Raises
    ------
    NotAPhoto
        It is empty, too large, of another kind, damaged, or unfolds into too many pixels. The sentence says which.
    """
    most = settings.get().photo_max_mb
    if not content:
        raise NotAPhoto(_("The photo is empty. Choose another one."))
    if len(content) > most * 1_000_000:
        raise NotAPhoto(
            _("The photo has {size} MB, more than {most} MB. Take it at a lower resolution.",
              size=f"{len(content) / 1e6:.1f}", most=most)
        )  # fmt: skip
    # Pillow takes a moment to import and only those who send photos need it.
    from PIL import Image as pillow  # noqa: N813 - a module

    # The limit is ours, checked below before anything is unfolded; Pillow's own would warn or raise of its own kind.
    pillow.MAX_IMAGE_PIXELS = None
    try:
        with pillow.open(io.BytesIO(content), formats=_FORMATS) as image:
            width, height = image.size
            if width * height > MOST_PIXELS:
                raise NotAPhoto(
                    _("The photo has {count} million pixels, more than {most}. Take it at a lower resolution.",
                      count=round(width * height / 1e6), most=MOST_PIXELS // 10**6)
                )  # fmt: skip
            lon, lat = _position(image)
            upright = _drawn(image)
    except NotAPhoto:
        raise
    except Exception as error:
        # A decoder fed with whatever strangers send fails in many ways; none of them is ours to let through.
        if content[4:8] == b"ftyp" and content[8:12] in _HEIC_BRANDS:
            raise NotAPhoto(
                _("A HEIC photo cannot be read here. Set the camera to “Most compatible”, or send a JPEG.")
            ) from error
        raise NotAPhoto(_("This cannot be read as a photo. JPEG, PNG and WebP can be sent.")) from error
    small = upright.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return Picture(_jpeg(upright, 85), _jpeg(small, 78), upright.width, upright.height, lon, lat)


def _drawn(image: Image) -> Image:
    """The pixels of ``image``, upright, on white where it is transparent, at most ``LONGEST`` long."""
    from PIL import Image as pillow  # noqa: N813 - a module
    from PIL import ImageOps

    image.thumbnail((LONGEST, LONGEST))
    upright = ImageOps.exif_transpose(image)
    if upright.mode in ("RGBA", "LA", "PA") or "transparency" in upright.info:
        over = upright.convert("RGBA")
        ground = pillow.new("RGB", over.size, "white")
        ground.paste(over, mask=over.getchannel("A"))
        return ground
    plain = pillow.new("RGB", upright.size)
    plain.paste(upright.convert("RGB"))
    return plain


def _jpeg(image: Image, quality: int) -> bytes:
    out = io.BytesIO()
    image.save(out, "JPEG", quality=quality, optimize=True, progressive=True)
    return out.getvalue()


def _position(image: Image) -> tuple[float | None, float | None]:
    """Longitude and latitude that a camera noted, in degrees; nothing when that is missing, zero or impossible.

    Source: Exif 2.32 (CIPA DC-008), tags GPSLatitudeRef … GPSLongitude.
    """
    try:
        noted: Mapping[int, Any] = image.getexif().get_ifd(_GPS)
        lat, lon = _degrees(noted[2], noted[1], "S"), _degrees(noted[4], noted[3], "W")
    except Exception:  # metadata is what a stranger's device wrote; a photo is none the worse for it
        return None, None
    possible = math.isfinite(lon) and math.isfinite(lat) and abs(lon) <= 180 and abs(lat) <= 90
    # Cameras without a fix write zeros.
    return (lon, lat) if possible and (lon, lat) != (0.0, 0.0) else (None, None)


def _degrees(parts: Sequence[Any], reference: Any, negative: str) -> float:
    degrees, minutes, seconds = (float(part) for part in parts)
    letter = reference.decode("ascii") if isinstance(reference, bytes) else str(reference)
    value = degrees + minutes / 60 + seconds / 3600
    return -value if letter.strip("\0 ").upper() == negative else value


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
    public: bool = False,
) -> Stored:
    """Take a photo in. One that belongs to nothing yet gets a claim, to be attached by (:func:`attach`).

    Raises
    ------
    NotAPhoto
        See :func:`read`.
    """
    access.require(actor, "incident.report", community_id, grid_id)
    picture = read(content)
    sha256 = hashlib.sha256(picture.large).hexdigest()
    _write(place(sha256), picture.large)
    _write(place(sha256, thumbnail=True), picture.small)
    waits = incident_id is None and step_id is None and patrol_id is None
    claim = secrets.new_token() if waits else ""
    photo = Photo(
        community_id=community_id, grid_id=grid_id, incident_id=incident_id, step_id=step_id, patrol_id=patrol_id,
        sha256=sha256, width=picture.width, height=picture.height, size=len(picture.large), public=public,
        claim=secrets.token_hash(claim) if claim else None, account_id=actor.account_id,
    )  # fmt: skip
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
        delete(Photo).where(
            Photo.incident_id.is_(None), Photo.step_id.is_(None), Photo.patrol_id.is_(None),
            Photo.created_at < now - UNCLAIMED,
        ).execution_options(synchronize_session=False)
    )  # fmt: skip
    session.flush()
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
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    descriptor, draft = tempfile.mkstemp(dir=path.parent, suffix=".part")
    try:
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
            out.flush()
            os.fsync(out.fileno())
        Path(draft).replace(path)
    finally:
        Path(draft).unlink(missing_ok=True)
