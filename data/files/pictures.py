"""Pictures that strangers send (图片), drawn anew: nothing of the file survives but what is seen.

A picture is decoded where every stranger's file is read (``data.files.confined``): decoders have had holes, and what
unfolds there takes no memory of the application's. What is handed back are two JPEG files of our own making, and the
position that the camera noted.
"""

from __future__ import annotations

import io
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from data.base.errors import Invalid
from data.base.language import _
from data.files import confined

if TYPE_CHECKING:
    from PIL.Image import Image

LONGEST = 2048
"""The longest side of a kept photo, in pixels: a house number is still legible, and a case's photos load on a phone."""
THUMBNAIL = 360
"""The longest side of the small picture, in pixels."""
MOST_PIXELS = 64_000_000
"""More than any phone writes by default (50 million); a small file that unfolds into more is a decompression bomb."""
MOST_PIXELS_WHOLE = 20_000_000
"""The same for what cannot be decoded at a smaller size straight away: PNG, WebP and progressive JPEG are unfolded
whole, which takes up to 16 bytes a pixel."""
_FORMATS = ("JPEG", "PNG", "WEBP")
_SIGNATURES = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"RIFF")
_HEAD = 100
"""Bytes of a file that may begin like a photo and be none."""
_HEIC_BRANDS = (b"heic", b"heix", b"hevc", b"heim", b"heis", b"mif1", b"msf1")
_GPS = 0x8825


class NotAPhoto(Invalid):
    """What was sent cannot be taken in as a photo."""


@dataclass(frozen=True)
class Picture:
    """A photo as it is kept: two JPEG files and what was noted in the original."""

    large: bytes
    small: bytes
    width: int
    height: int
    lon: float | None
    lat: float | None


def read_confined(content: bytes) -> Picture:
    """Have a picture drawn anew, in a process that can do nothing else.

    Raises
    ------
    NotAPhoto
        It is of another kind, damaged, or unfolds into too many pixels.
    Invalid
        It takes too much memory or time.
    """

    def stock(folder: Path) -> dict[str, str]:
        (folder / "picture").write_bytes(content)
        return {}

    picture: Picture = confined.ask(read_room, _("photo"), stock, kinds=(Picture,), errors=(NotAPhoto,))
    return picture


def read_room(room: Path, _arguments: Mapping[str, Any]) -> Picture:
    """Read the copy in a room: what ``read_confined`` asks for behind the walls."""
    return read((room / "in" / "picture").read_bytes())


def read(content: bytes) -> Picture:
    """The picture that ``content`` is. What its head says of its size is looked at before anything is unfolded.

    Raises
    ------
    NotAPhoto
        It is of another kind, damaged, or unfolds into too many pixels.
    """
    # Pillow takes a moment to import and only those who send photos need it.
    from PIL import Image as pillow  # noqa: N813 - a module

    # The limit is ours, checked below before anything is unfolded; Pillow's own would warn or raise of its own kind.
    pillow.MAX_IMAGE_PIXELS = None
    try:
        with pillow.open(io.BytesIO(content), formats=_FORMATS) as image:
            width, height = image.size
            most = MOST_PIXELS if _shrinks(image) else MOST_PIXELS_WHOLE
            if width * height > most:
                raise NotAPhoto(
                    _(
                        "The photo has {count} million pixels, more than {most}. Take it at a lower resolution.",
                        count=round(width * height / 1e6),
                        most=most // 10**6,
                    )
                )
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
        if content.startswith(_SIGNATURES) and len(content) > _HEAD:
            raise NotAPhoto(_("The photo is damaged, or was cut off on its way. Choose and send it again.")) from error
        raise NotAPhoto(_("This cannot be read as a photo. JPEG, PNG and WebP can be sent.")) from error
    small = upright.copy()
    small.thumbnail((THUMBNAIL, THUMBNAIL))
    return Picture(_jpeg(upright, 85), _jpeg(small, 78), upright.width, upright.height, lon, lat)


def _shrinks(image: Image) -> bool:
    """Whether the decoder can make the picture smaller while it reads it, so that it is never there whole."""
    return image.format == "JPEG" and not image.info.get("progressive")


def _drawn(image: Image) -> Image:
    """The pixels of ``image``, upright, on white where it is transparent, at most ``LONGEST`` long."""
    from PIL import Image as pillow  # noqa: N813 - a module
    from PIL import ImageOps

    image.thumbnail((LONGEST, LONGEST))
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):
        # Grey of 16 bits: a plain conversion would cut off all that is brighter than 255 of 65,535.
        upright = upright.convert("I").point(lambda value: value * (1 / 257)).convert("L")
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
