"""Secrets: encrypted fields, blind indexes for exact search, password and token hashes, masks.

Identity numbers, phones and health facts are encrypted in the application with AES-256-GCM. The keys live in a file
outside the database (``Settings.key_file``, readable by its owner only), so a copy of the database alone tells
nothing. They are made once, for an empty database, and never silently again: ``data.keys`` says when. An exact search
goes through a *blind index*: an HMAC-SHA-256 of the normalised value under a second key.

A value that cannot be decrypted (damaged, or written under keys that are lost) is read as :class:`Unreadable`, a text
that says so: one bad value never keeps anybody from a page, a list or a file.

Masks follow the look: ``138****6021``, ``3101**********2417``, ``李**``.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import os
import secrets as _random
import time
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqlalchemy import Date, LargeBinary
from sqlalchemy.engine import Dialect
from sqlalchemy.exc import DontWrapMixin
from sqlalchemy.types import TypeDecorator

from data.base import settings, texts
from data.base.columns import Words
from data.base.errors import Conflict, Invalid
from data.base.language import _

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

log = logging.getLogger("wangge.secrets")

_NONCE_BYTES = 12
_KEY_BYTES = 32
_LOGGED_EVERY_S = 60.0


class KeysMissing(Conflict):
    """The key file is gone."""


class KeysDamaged(Conflict):
    """The key file is there and holds no keys."""


class Unreadable(str):
    """What stands for a value that cannot be decrypted: a text that says so, in the language of who reads it."""

    __slots__ = ()


class NoValue(Invalid, DontWrapMixin):
    """What stands for a value that cannot be decrypted came back to be stored: from a form, a program or a file."""


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
        """The keys out of the text of a key file.

        Raises
        ------
        ValueError
            The text holds no keys.
        """
        try:
            read = json.loads(text)
            pair = [base64.b64decode(read[name], validate=True) for name in ("encryption", "index")]
        except (KeyError, TypeError) as error:
            raise ValueError("no keys") from error
        if any(len(key) != _KEY_BYTES for key in pair):
            raise ValueError("keys of another length")
        return cls(*pair)

    @property
    def fingerprint(self) -> str:
        """What tells these keys from others and betrays nothing of them: 32 hexadecimal digits."""
        return hmac.new(self.encryption + self.index, b"wangge key fingerprint", hashlib.sha256).hexdigest()[:32]


def stored(path: Path | None = None) -> Keys | None:
    """The keys in the key file, read anew; ``None`` when there is no such file.

    Raises
    ------
    KeysDamaged
    """
    path = path or settings.get().key_file
    try:
        return Keys.from_json(path.read_text("ascii"))
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise KeysDamaged(
            _("The key file {path} is damaged. Put the copy of it there, or that of a backup.", path=path)
        ) from error


def write_keys(path: Path, made: Keys) -> None:
    """Write a key file, readable by its owner only, which is there whole or not at all; one that is there stays."""
    path.parent.mkdir(parents=True, exist_ok=True)
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        with os.fdopen(descriptor, "w") as file:
            file.write(made.to_json())
            file.flush()
            os.fsync(file.fileno())
        os.link(draft, path)
    except FileExistsError:
        pass  # of two that start together, whoever comes second reads what the first one made
    finally:
        draft.unlink()
    forget()


def make_keys() -> Keys:
    """Have a key file: fresh keys when there is none. Whether that may be is not asked here (``data.keys.check``)."""
    path = settings.get().key_file
    if stored(path) is None:
        write_keys(path, Keys.new())
    return keys()


@cache
def keys() -> Keys:
    """The keys of this installation, read once.

    Raises
    ------
    KeysMissing
    """
    held = stored()
    if held is None:
        raise KeysMissing(
            _(
                "The key file {path} is missing. Put the copy of it there; `wangge keys show` says which one it has to "
                "be.",
                path=settings.get().key_file,
            )
        )
    return held


def forget() -> None:
    """Read the keys anew at the next need: they were replaced."""
    keys.cache_clear()
    _cipher.cache_clear()
    _indexer.cache_clear()


@cache
def _cipher() -> AESGCM:
    # Imported when something is encrypted for the first time: most commands do without.
    from cryptography.hazmat.primitives.ciphers.aead import AESGCM

    return AESGCM(keys().encryption)


@cache
def _indexer() -> hmac.HMAC:
    """What makes blind indexes, before the first letter: to begin anew for each took most of the time."""
    return hmac.new(keys().index, digestmod=hashlib.sha256)


def encrypt(text: str) -> bytes:
    """``text`` encrypted: 12 bytes nonce, then ciphertext and tag. The same text is never encrypted alike twice."""
    nonce = os.urandom(_NONCE_BYTES)
    return nonce + _cipher().encrypt(nonce, text.encode(), None)


def encrypt_all(many: Sequence[str | None]) -> list[bytes | None]:
    """Many texts encrypted, each as by ``encrypt``; ``None`` stays."""
    noise, cipher = os.urandom(_NONCE_BYTES * len(many)), _cipher()
    nonces = (noise[at : at + _NONCE_BYTES] for at in range(0, len(noise), _NONCE_BYTES))
    return [
        None if value is None else nonce + cipher.encrypt(nonce, value.encode(), None)
        for nonce, value in zip(nonces, many, strict=True)
    ]


def decrypt(data: bytes) -> str:
    """The text that ``encrypt`` was given.

    Raises
    ------
    cryptography.exceptions.InvalidTag
        The data was changed, or encrypted under another key.
    """
    return _cipher().decrypt(bytes(data[:_NONCE_BYTES]), bytes(data[_NONCE_BYTES:]), None).decode()


def readable(data: bytes) -> str:
    """The text that ``encrypt`` was given, or :class:`Unreadable`. That it happens is logged, never a value."""
    from cryptography.exceptions import InvalidTag

    try:
        return decrypt(data)
    except (InvalidTag, ValueError):
        _log_unreadable()
        return Unreadable(_(texts.UNREADABLE))


def known(value: str | None) -> str | None:
    """A value where it can be read, for whoever has no use for the text that says it cannot."""
    return None if isinstance(value, Unreadable) else value


_logged = {"next_at": 0.0, "count": 0.0}


def _log_unreadable() -> None:
    """Say now and then how many values could not be read: a list may hold thousands of them."""
    _logged["count"] += 1
    if (now := time.monotonic()) >= _logged["next_at"]:
        log.warning("%d encrypted values could not be decrypted; `wangge keys show` says why", _logged["count"])
        _logged.update(next_at=now + _LOGGED_EVERY_S, count=0)


def blind(text: str) -> bytes:
    """The blind index of ``text``: 32 bytes, equal for equal texts whatever their case and spacing."""
    made = _indexer().copy()
    made.update("".join(text.split()).upper().encode())
    return made.digest()


def _both_empty(x: Any, y: Any) -> bool:
    """What counts as no change of something personal: only that it was empty and stays so.

    Else whoever may write a value without seeing it would learn from the version of the record and its history whether
    it is the one that was there.
    """
    return x is None and y is None


class Personal(Words):
    """A column of text that leaves masked, though it is not encrypted. What is written counts as a change."""

    cache_ok = True

    def compare_values(self, x: str | None, y: str | None) -> bool:
        """Whether nothing is written: see :func:`_both_empty`."""
        return _both_empty(x, y)


class PersonalDay(TypeDecorator[date]):
    """A day that leaves masked. What is written counts as a change."""

    impl = Date
    cache_ok = True

    def compare_values(self, x: date | None, y: date | None) -> bool:
        """Whether nothing is written: see :func:`_both_empty`."""
        return _both_empty(x, y)


class Encrypted(TypeDecorator[str]):
    """A column of text that is encrypted on its way into the database and decrypted on its way out.

    What cannot be decrypted comes out as :class:`Unreadable`, which is no value and cannot be written back.
    """

    impl = LargeBinary
    cache_ok = True
    #: Characters that can be kept (``ck_…_length`` in the database, which counts the bytes that they may take).
    most = texts.LONG

    def compare_values(self, x: str | None, y: str | None) -> bool:
        """Whether nothing is written: see :func:`_both_empty`."""
        return _both_empty(x, y)

    def process_bind_param(self, value: str | None, dialect: Dialect) -> bytes | None:
        """Clean and encrypt."""
        if value is not None and texts.says_unreadable(value):
            raise NoValue(
                _("“{text}” stands for what cannot be decrypted and is no value. Write the value anew.", text=value)
            )
        return None if value is None else encrypt(texts.clean(value))

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> str | None:
        """Decrypt."""
        return None if value is None else readable(value)


def mask_phone(text: str | None) -> str | None:
    """A phone number with its middle hidden.

    >>> mask_phone("13812346021")
    '138****6021'
    """
    if not text or isinstance(text, Unreadable):
        return text
    return f"{text[:3]}****{text[-4:]}" if len(text) >= 8 else "*" * len(text)


def mask_identity(text: str | None) -> str | None:
    """An identity number with all but its first and last four characters hidden.

    >>> mask_identity("310101194910012417")
    '3101**********2417'
    """
    if not text or isinstance(text, Unreadable):
        return text
    return text[:4] + "*" * (len(text) - 8) + text[-4:] if len(text) > 8 else "*" * len(text)


def mask_name(text: str | None) -> str | None:
    """A name with all but its first character hidden.

    >>> mask_name("李小明")
    '李**'
    """
    return text[:1] + "*" * (len(text) - 1) if text and not isinstance(text, Unreadable) else text


def mask_address(text: str | None) -> str | None:
    """An address with all but its first six characters hidden, however long it is.

    >>> mask_address("梧桐路168弄18号2单元501"), mask_address("江城区")
    ('梧桐路168****', '江城区****')
    """
    return f"{text[:6]}****" if text else text


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
