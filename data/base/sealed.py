"""Sealed files: uploads and what belongs to them, encrypted at rest with the keys of the encrypted fields.

The framing is that of age's payload (https://age-encryption.org/v1): each file has a key of its own, derived by
HKDF-SHA-256 from the installation's key and 16 random bytes, and is cut into chunks of 64 KiB, each sealed by
AES-256-GCM. A chunk's nonce is its number and whether it is the last one, so chunks that were changed, exchanged, left
out or added are noticed::

    "wangge sealed 1\\n" · 16 bytes salt · chunk 0 · chunk 1 · … · last chunk      (chunk: ciphertext, 16 bytes tag)

A file gets its name only when it is whole and on the disk, and only its owner can read it.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING

from data.base import secrets
from data.base.errors import Conflict
from data.base.language import _

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

MAGIC = b"wangge sealed 1\n"
CHUNK_BYTES = 1 << 16
#: Held in common by whoever adds files or copies them for a backup, and alone by whoever removes them.
LOCK_ROOM = 7_214_003
_SALT_BYTES = 16
_TAG_BYTES = 16
_COUNTER_BYTES = 11


class Unreadable(Conflict):
    """A sealed file is damaged, or was sealed under other keys."""


def _cipher(salt: bytes) -> AESGCM:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.kdf.hkdf import HKDF

    return AESGCM(HKDF(SHA256(), 32, salt, b"wangge sealed file").derive(secrets.keys().encryption))


def _nonce(number: int, *, last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES, "big") + bytes([last])


def seal(content: Iterable[bytes]) -> Iterator[bytes]:
    """``content``, in pieces of any length, as the bytes of a sealed file."""
    salt = os.urandom(_SALT_BYTES)
    cipher = _cipher(salt)
    yield MAGIC + salt
    waiting, number = bytearray(), 0
    for piece in content:
        waiting += piece
        while len(waiting) > CHUNK_BYTES:  # the last chunk is known only when nothing comes any more
            yield cipher.encrypt(_nonce(number, last=False), bytes(waiting[:CHUNK_BYTES]), None)
            del waiting[:CHUNK_BYTES]
            number += 1
    yield cipher.encrypt(_nonce(number, last=True), bytes(waiting), None)


def _opened(file: IO[bytes], path: Path) -> Iterator[bytes]:
    from cryptography.exceptions import InvalidTag

    try:
        cipher, number = _cipher(file.read(_SALT_BYTES)), 0
        chunk = file.read(CHUNK_BYTES + _TAG_BYTES)
        while True:
            following = file.read(CHUNK_BYTES + _TAG_BYTES)
            yield cipher.decrypt(_nonce(number, last=not following), chunk, None)
            if not following:
                return
            chunk, number = following, number + 1
    except (InvalidTag, ValueError) as error:
        raise Unreadable(
            _("The file {name} cannot be decrypted: it is damaged, or its keys are lost.", name=path.name)
        ) from error


def is_sealed(path: Path) -> bool:
    """Whether a file is sealed; one from before files were is not."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read(path: Path) -> Iterator[bytes]:
    """The content of a file in pieces, that of one from before files were sealed too.

    Raises
    ------
    Unreadable
        It is damaged, cut off, or sealed under other keys. What came before the damage has been handed out by then.
    FileNotFoundError
    """
    with path.open("rb") as file:
        start = file.read(len(MAGIC))
        if start == MAGIC:
            yield from _opened(file, path)
            return
        yield start
        while piece := file.read(CHUNK_BYTES):
            yield piece


def write(path: Path, content: Iterable[bytes]) -> None:
    """Seal ``content`` into the file ``path``, in place of any other."""
    write_as(path.parent, content, lambda: path)


def write_as(folder: Path, content: Iterable[bytes], name: Callable[[], Path]) -> None:
    """Seal ``content`` into a file that is named when all of it has been seen."""
    make_folder(folder)
    descriptor, draft = tempfile.mkstemp(dir=folder, suffix=".part")  # readable by its owner only
    try:
        with os.fdopen(descriptor, "wb") as out:
            for piece in seal(content):
                out.write(piece)
            out.flush()
            os.fsync(out.fileno())
        final = name()
        make_folder(final.parent)
        Path(draft).replace(final)
    finally:
        Path(draft).unlink(missing_ok=True)


def make_folder(folder: Path) -> None:
    """Have a folder that only its owner can enter."""
    if not folder.is_dir():
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        folder.chmod(0o700)


def seal_in_place(path: Path) -> bool:
    """Seal a file from before files were sealed, keeping its age; tells whether it was such a one."""
    if is_sealed(path):
        return False
    age = path.stat()
    write(path, read(path))
    os.utime(path, ns=(age.st_atime_ns, age.st_mtime_ns))
    return True


def opens(path: Path) -> bool:
    """Whether the keys here open a file, by its beginning."""
    try:
        next(read(path))
    except (Unreadable, secrets.KeysMissing, secrets.KeysDamaged):
        return False
    return True
