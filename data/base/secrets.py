"""Secrets: encrypted fields, blind indexes for exact search, password and token hashes, masks.

Identity numbers, phones and health facts are encrypted in the application with AES-256-GCM. The keys live in a file
outside the database (``Settings.key_file``, readable by its owner only), so a copy of the database alone tells
nothing. An exact search goes through a *blind index*: an HMAC-SHA-256 of the normalised value under a second key.

Masks follow the look: ``138****6021``, ``3101**********2417``, ``李**``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import os
import secrets as _random
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeDecorator

from data.base import settings

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_NONCE_BYTES = 12


@dataclass(frozen=True)
class Keys:
    """The two keys of an installation, 32 bytes each: one encrypts, one makes blind indexes."""

    encryption: bytes
    index: bytes

    @classmethod
    def new(cls) -> Keys:
        """Fresh random keys."""
        return cls(_random.token_bytes(32), _random.token_bytes(32))

    def to_json(self) -> str:
        """The keys as the text of a key file."""
        return json.dumps({name: base64.b64encode(getattr(self, name)).decode() for name in ("encryption", "index")})

    @classmethod
    def from_json(cls, text: str) -> Keys:
        """The keys out of the text of a key file."""
        found = json.loads(text)
        return cls(base64.b64decode(found["encryption"]), base64.b64decode(found["index"]))


def load_keys(path: Path) -> Keys:
    """The keys in ``path``, made there first when the file does not exist.

    Two processes that start together agree: the file is created whole under another name and linked into place,
    and whoever comes second reads what the first one made.
    """
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_name(f"{path.name}.{os.getpid()}")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(Keys.new().to_json())
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(draft, path)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
    return Keys.from_json(path.read_text())


@cache
def keys() -> Keys:
    """The keys of this installation, read once."""
    return load_keys(settings.get().key_file)


def forget() -> None:
    """Read the keys anew at the next need: they were replaced."""
    keys.cache_clear()
    _cipher.cache_clear()


@cache
def _cipher() -> AESGCM:
    # Imported when something is encrypted for the first time: most commands do without.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(keys().encryption)


def encrypt(text: str) -> bytes:
    """``text`` encrypted: 12 bytes nonce, then ciphertext and tag. The same text is never encrypted alike twice."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + _cipher().encrypt(nonce, text.encode(), None)


def decrypt(data: bytes) -> str:
    """The text that ``encrypt`` was given.

    Raises
    ------
    cryptography.exceptions.InvalidTag
        The data was changed, or encrypted under another key.
    """
    return _cipher().decrypt(bytes(data[:_NONCE_BYTES]), bytes(data[_NONCE_BYTES:]), None).decode()


def blind(text: str) -> bytes:
    """The blind index of ``text``: 32 bytes, equal for equal texts whatever their case and spacing."""
    normal = "".join(text.split()).upper()
    return hmac.new(keys().index, normal.encode(), hashlib.sha256).digest()


class Encrypted(TypeDecorator[str]):
    """A column of text that is encrypted on its way into the database and decrypted on its way out."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Encrypt."""
        return None if value is None else encrypt(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        """Decrypt."""
        return None if value is None else decrypt(value)


def mask_phone(text: str | None) -> str | None:
    """A phone number with its middle hidden.

    >>> mask_phone("13812346021")
    '138****6021'
    """
    if not text:
        return text
    return f"{text[:3]}****{text[-4:]}" if len(text) >= 8 else "*" * len(text)


def mask_identity(text: str | None) -> str | None:
    """An identity number with all but its first and last four characters hidden.

    >>> mask_identity("310101194910012417")
    '3101**********2417'
    """
    if not text:
        return text
    return text[:4] + "*" * (len(text) - 8) + text[-4:] if len(text) > 8 else "*" * len(text)


def mask_name(text: str | None) -> str | None:
    """A name with all but its first character hidden.

    >>> mask_name("李小明")
    '李**'
    """
    return text[:1] + "*" * (len(text) - 1) if text else text


def new_token() -> str:
    """A token nobody can guess (256 bits), for sessions and API access."""
    return _random.token_urlsafe(32)


def token_hash(token: str) -> bytes:
    """What is stored of a token: its SHA-256. A token has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(token.encode()).digest()


@cache
def _hasher() -> object:
    from argon2 import PasswordHasher

    return PasswordHasher()


def password_hash(password: str) -> str:
    """``password`` hashed with argon2id."""
    return str(_hasher().hash(password))  # type: ignore[attr-defined]


def password_matches(hashed: str, password: str) -> bool:
    """Whether ``password`` is the one that was hashed."""
    from argon2.exceptions import InvalidHashError, VerificationError

    try:
        return bool(_hasher().verify(hashed, password))  # type: ignore[attr-defined]
    except (VerificationError, InvalidHashError):
        return False
