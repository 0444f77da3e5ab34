"""Photos are what they say they are, and keep nothing that their camera wrote."""

from __future__ import annotations

import hashlib
import io
import os
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from sqlalchemy.orm import Session

from data import photos
from data.base import access, sealed, settings
from data.base.errors import Busy, Forbidden, NotFound
from data.files import pictures as drawing
from tests.city import City
from tests.data import pictures

SYSTEM = access.SYSTEM


def opened(content: bytes) -> Image.Image:
    """A kept file as a picture."""
    return Image.open(io.BytesIO(content))


@pytest.mark.parametrize(
    ("kind", "mode"), [("JPEG", "RGB"), ("JPEG", "L"), ("PNG", "RGBA"), ("PNG", "P"), ("WEBP", "RGB")]
)
def test_a_photo_of_each_kind_is_kept_as_a_jpeg_of_the_same_picture(kind: str, mode: str) -> None:
    kept = photos.read(pictures.photo(kind=kind, mode=mode))
    picture = opened(kept.large)
    assert (picture.format, picture.size) == ("JPEG", (64, 48))
    if mode != "L":
        left, right = picture.getpixel((8, 24)), picture.getpixel((56, 24))
        assert isinstance(left, tuple)
        assert isinstance(right, tuple)
        assert left[0] > 200 > 80 > left[2]
        assert right[2] > 200 > 80 > right[0]


def test_nothing_that_the_camera_wrote_is_left_in_what_is_kept() -> None:
    kept = photos.read(pictures.photo(place=(120.894, 31.991667), turned=6))
    for content in (kept.large, kept.small):
        assert not opened(content).getexif()
        assert b"Geheimkamera" not in content
        assert b"Exif" not in content


def test_a_photo_that_was_turned_stands_upright() -> None:
    kept = photos.read(pictures.photo((64, 48), turned=6))
    assert (kept.width, kept.height) == (48, 64)
    upper = opened(kept.large).getpixel((24, 8))
    assert isinstance(upper, tuple)
    assert upper[0] > 200, "turned to the right, the left half is the upper one"


@given(lon=st.floats(-179.9, 179.9), lat=st.floats(-89.9, 89.9))
def test_the_place_that_a_camera_noted_is_handed_back(lon: float, lat: float) -> None:
    kept = drawing.read(pictures.photo((8, 8), place=(lon, lat)))
    if (round(lon, 5), round(lat, 5)) != (0, 0):
        assert kept.lon == pytest.approx(lon, abs=1e-5)
        assert kept.lat == pytest.approx(lat, abs=1e-5)


def test_zeros_and_nonsense_are_no_place() -> None:
    assert photos.read(pictures.photo(place=(0.0, 0.0))).lon is None
    assert photos.read(pictures.photo(place=(500.0, 95.0))).lat is None


def test_a_large_photo_becomes_smaller_and_its_thumbnail_small() -> None:
    kept = photos.read(pictures.photo((4000, 3000)))
    assert (kept.width, kept.height) == (2048, 1536)
    assert max(opened(kept.small).size) == drawing.THUMBNAIL


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"", "empty"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "JPEG, PNG and WebP"),
        (b"GIF89a" + bytes(100), "JPEG, PNG and WebP"),
        (pictures.photo((400, 300))[:400], "cut off on its way"),
        (b"\0\0\0\x18ftypheic" + bytes(200), "HEIC"),
        (bytes(15_000_001), "15.0 MB"),
    ],
)
def test_what_is_no_photo_is_refused_with_a_sentence(content: bytes, says: str) -> None:
    with pytest.raises(photos.NotAPhoto, match=says):
        photos.read(content)


def test_a_decompression_bomb_is_refused_before_it_unfolds() -> None:
    content = pictures.bomb()
    assert len(content) < 1_000_000
    with pytest.raises(photos.NotAPhoto, match="900 million pixels"):
        photos.read(content)


def test_a_photo_is_found_under_the_hash_of_its_content(session: Session) -> None:
    city = City.make(session)
    case = city.incident()
    stored = photos.store(
        session, SYSTEM, pictures.photo(), community_id=city.community.id, grid_id=case.grid_id, incident_id=case.id
    )
    kept = photos.content(stored.photo)
    assert hashlib.sha256(kept).hexdigest() == stored.photo.sha256
    assert len(photos.content(stored.photo, thumbnail=True)) < len(kept) + 1000
    assert stored.claim == ""


def test_a_photo_lies_sealed_and_one_from_before_is_shown_and_then_sealed(session: Session) -> None:
    city = City.make(session)
    case = city.incident()
    photo = photos.store(
        session, SYSTEM, pictures.photo((40, 41)), community_id=city.community.id, incident_id=case.id
    ).photo
    kept, places = photos.content(photo), [photos.place(photo.sha256, thumbnail=small) for small in (False, True)]
    for path in places:
        assert sealed.is_sealed(path)
        assert path.stat().st_mode & 0o077 == 0
    for path, content in [(path, b"".join(sealed.read(path))) for path in places]:
        path.write_bytes(content)  # as an earlier version left them
    assert photos.content(photo) == kept
    assert photos.seal_what_is_in_clear() == 2
    assert photos.seal_what_is_in_clear() == 0
    assert sealed.is_sealed(places[0])
    assert photos.content(photo) == kept
    places[0].write_bytes(places[0].read_bytes()[:-1])
    with pytest.raises(sealed.Unreadable, match="damaged"):
        photos.content(photo)
    places[0].unlink()
    with pytest.raises(NotFound, match="gone"):
        photos.content(photo)


def test_photos_lie_among_the_uploads_that_a_backup_takes_along() -> None:
    assert photos.place("ab" * 32).is_relative_to(settings.get().uploads)


def test_a_photo_is_seen_where_its_case_lies_even_after_the_case_was_moved(session: Session) -> None:
    city = City.make(session)
    case = city.incident(50, 50)
    stored = photos.store(
        session, SYSTEM, pictures.photo(), community_id=city.community.id, grid_id=case.grid_id, incident_id=case.id
    )
    here, there = (city.actor("grid_leader", city.grids[name]) for name in ("A1", "C3"))
    assert photos.get(session, here, stored.photo.id) is stored.photo
    with pytest.raises(NotFound):
        photos.get(session, there, stored.photo.id)
    case.grid_id = city.grids["C3"].id
    session.flush()
    assert photos.get(session, there, stored.photo.id) is stored.photo
    with pytest.raises(NotFound):
        photos.get(session, here, stored.photo.id)


def test_only_who_handles_a_case_removes_its_photos_or_makes_them_public(session: Session) -> None:
    city = City.make(session)
    case = city.incident()
    photo = photos.store(
        session, SYSTEM, pictures.photo(), community_id=city.community.id, grid_id=case.grid_id, incident_id=case.id
    ).photo
    reader = city.actor("building_warden", city.grids["A1"])
    with pytest.raises(Forbidden):
        photos.publish(session, reader, photo, public=True)
    with pytest.raises(Forbidden):
        photos.remove(session, reader, photo)
    leader = city.actor("grid_leader", city.grids["A1"])
    photos.publish(session, leader, photo, public=True)
    assert photo.public
    photos.remove(session, leader, photo)
    assert photos.of_incident(session, SYSTEM, case.id) == []


def test_a_claim_attaches_a_photo_once_and_only_in_its_community(session: Session) -> None:
    city, other = City.make(session), City.make(session, "310102001001")
    case, strange = city.incident(), other.incident()
    stored = photos.store(session, SYSTEM, pictures.photo(), community_id=city.community.id)

    def attach(where: City, incident_id: int, claim: str) -> int:
        return photos.attach(session, [claim], community_id=where.community.id, grid_id=None, incident_id=incident_id)

    assert attach(other, strange.id, stored.claim) == 0
    assert attach(city, case.id, "guessed") == 0
    assert attach(city, case.id, stored.claim) == 1
    assert attach(city, strange.id, stored.claim) == 0
    assert [one.id for one in photos.of_incident(session, SYSTEM, case.id)] == [stored.photo.id]


def test_orphans_go_and_everything_else_stays(session: Session) -> None:
    city = City.make(session)
    case = city.incident()
    now = datetime.now(UTC)
    kept = photos.store(
        session, SYSTEM, pictures.photo((30, 30)), community_id=city.community.id, incident_id=case.id
    ).photo
    orphan = photos.store(session, SYSTEM, pictures.photo((31, 31)), community_id=city.community.id).photo
    fresh = photos.store(session, SYSTEM, pictures.photo((32, 32)), community_id=city.community.id).photo
    orphan.created_at = now - timedelta(days=2)
    session.flush()
    hashes = {name: one.sha256 for name, one in (("kept", kept), ("orphan", orphan), ("fresh", fresh))}
    long_ago = (now - timedelta(days=3)).timestamp()
    for sha256 in hashes.values():
        for thumbnail in (False, True):
            os.utime(photos.place(sha256, thumbnail=thumbnail), (long_ago, long_ago))
    photos.clean(session, now)
    there = {name: photos.place(sha256).exists() for name, sha256 in hashes.items()}
    assert there == {"kept": True, "orphan": False, "fresh": True}
    assert not photos.place(hashes["orphan"], thumbnail=True).exists()


@pytest.mark.parametrize(("kind", "more"), [("PNG", {}), ("WEBP", {}), ("JPEG", {"progressive": True})])
def test_what_must_be_unfolded_whole_may_have_fewer_pixels(kind: str, more: dict[str, Any]) -> None:
    content = io.BytesIO()
    Image.new("1" if kind == "PNG" else "L", (5000, 5000)).save(content, kind, **more)
    with pytest.raises(photos.NotAPhoto, match="25 million pixels, more than 20"):
        photos.read(content.getvalue())


def test_photos_are_decoded_one_after_the_other(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photos, "_PATIENCE_S", 0.0)
    with photos._decoding, pytest.raises(Busy, match="Many photos"):
        photos.read(pictures.photo())
    assert photos.read(pictures.photo()).width == 64
