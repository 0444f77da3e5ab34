"""Pictures to be sent: small ones of every kind, with what cameras write into them."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any

from PIL import Image

_ORIENTATION, _GPS, _MAKE = 0x0112, 0x8825, 0x010F


def photo(
    size: tuple[int, int] = (64, 48),
    *,
    kind: str = "JPEG",
    mode: str = "RGB",
    place: tuple[float, float] | None = None,
    turned: int | None = None,
) -> bytes:
    """A photo whose left half is red and whose right half is blue.

    Parameters
    ----------
    place
        Longitude and latitude, in degrees, that the camera noted; negative ones west and south.
    turned
        The orientation that it noted: 6 means that the picture has to be turned by 90° to the right.
    """
    image = Image.new("RGB", size, "red")
    image.paste("blue", (size[0] // 2, 0, *size))
    noted = Image.Exif()
    noted[_MAKE] = "Geheimkamera"
    if turned is not None:
        noted[_ORIENTATION] = turned
    if place is not None:
        lon, lat = place
        noted[_GPS] = {
            1: "N" if lat >= 0 else "S",
            2: _sexagesimal(lat),
            3: "E" if lon >= 0 else "W",
            4: _sexagesimal(lon),
        }
    out = io.BytesIO()
    more: dict[str, Any] = {"exif": noted} if kind != "PNG" or place or turned else {}
    image.convert(mode).save(out, kind, **more)
    return out.getvalue()


def _sexagesimal(degrees: float) -> tuple[float, float, float]:
    whole = abs(degrees)
    minutes = (whole - int(whole)) * 60
    return float(int(whole)), float(int(minutes)), (minutes - int(minutes)) * 60


def bomb(width: int = 30_000, height: int = 30_000) -> bytes:
    """A PNG of under a megabyte that unfolds into ``width`` × ``height`` pixels of one bit."""

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    line = b"\0" + bytes((width + 7) // 8)
    packer = zlib.compressobj(9)
    data = b"".join(packer.compress(line) for _row in range(height)) + packer.flush()
    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")
