"""Backups: one file that holds the database, the uploads and the keys of an installation, and the way back.

The file is a tar with ``manifest.json``, ``database.dump`` (``pg_dump``'s custom format, one consistent snapshot of a
live database), ``uploads/…`` and ``keys.enc``: the keys of the encrypted fields, encrypted with a passphrase
(scrypt, then AES-256-GCM). Without the passphrase the personal fields of a backup cannot be read.

A restore goes into a database of its own that takes the old one's name only when it is complete. Whatever cuts it
off, the installation is either the old one or the restored one.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from data.base import cluster, db, secrets, settings
from data.base.errors import Conflict, Invalid, WanggeError
from data.base.language import _
from data.migrations import current

FORMAT = 1
_SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 2**26}
_SALT_BYTES = 16
_NONCE_BYTES = 12


class BackupFailed(WanggeError):
    """PostgreSQL's programs could not write or read the database."""


def write(path: Path, passphrase: str, progress: Callable[[str], None] = lambda _step: None) -> dict[str, Any]:
    """Back up this installation, while it runs, to ``path``; returns the manifest.

    The file appears under its name only when it is whole.

    Raises
    ------
    Invalid
        The passphrase is too short.
    Conflict
        There is a file already.
    """
    if len(passphrase) < 8:
        raise Invalid(_("The passphrase needs at least 8 characters."))
    if path.exists():
        raise Conflict(_("{path} exists already. Name another file.", path=path))
    manifest = {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": current(db.engine()),
    }
    draft = path.with_name(path.name + ".part")
    uploads = settings.get().uploads
    with tempfile.TemporaryDirectory(dir=path.parent) as folder:
        dump = Path(folder) / "database.dump"
        progress(_("Writing the database …"))
        _run(
            "pg_dump",
            "--format=custom",
            "--no-comments",
            "--exclude-table-data=*.spatial_ref_sys",
            f"--file={dump}",
            cluster.dsn(),
        )
        with tarfile.open(draft, "w") as tar:
            _add(tar, "manifest.json", json.dumps(manifest).encode())
            _add(tar, "keys.enc", _seal(secrets.keys().to_json().encode(), passphrase))
            tar.add(dump, "database.dump")
            progress(_("Writing the uploads …"))
            if uploads.is_dir():
                # Uploads are written once under the hash of their content, so copying them live is safe.
                for file in sorted(uploads.rglob("*")):
                    if file.is_file() and not file.name.endswith(".part"):
                        with suppress(FileNotFoundError):  # it was kept long enough, and has just been removed
                            tar.add(file, f"uploads/{file.relative_to(uploads)}")
    with draft.open("rb") as written:
        os.fsync(written.fileno())
    draft.replace(path)
    path.chmod(0o600)
    return {**manifest, "path": str(path), "size": path.stat().st_size}


def restore(
    path: Path, passphrase: str, *, replace: bool = False, progress: Callable[[str], None] = lambda _step: None
) -> dict[str, Any]:
    """Bring back the installation that ``write`` put into ``path``.

    Parameters
    ----------
    replace
        Whether an installation that holds records may be replaced.

    Raises
    ------
    Invalid
        The file is no backup, or damaged, or the passphrase is another one.
    Conflict
        The installation here holds records and ``replace`` was not said; or the server still runs on it.
    """
    if settings.get().database_url:
        raise Conflict(
            _("Restoring works on the private cluster. For another server use pg_restore with the dump in the backup.")
        )
    private = cluster.private()
    if not replace and _holds_records(private):
        raise Conflict(_("There are records here already. Say --replace to put the backup in their place."))
    with tempfile.TemporaryDirectory(dir=settings.get().home) as name:
        folder = Path(name)
        progress(_("Reading the backup …"))
        manifest = _unpack(path, folder)
        keys = secrets.Keys.from_json(_open((folder / "keys.enc").read_bytes(), passphrase).decode())
        if private_user := private.server_user:
            shutil.chown(folder, private_user["user"])
        progress(_("Restoring the database …"))
        private.drop_database("wangge_restoring")
        private.create_database("wangge_restoring")
        with psycopg.connect(private.dsn("wangge_restoring"), autocommit=True) as connection:
            connection.execute(
                "DO $$ BEGIN CREATE ROLE wangge_app NOLOGIN; EXCEPTION WHEN duplicate_object THEN NULL; END $$"
            )
        _run(
            "pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", "--no-comments",
            f"--dbname={private.dsn('wangge_restoring')}", folder / "database.dump",
        )  # fmt: skip
        progress(_("Taking its place …"))
        _put_keys(keys)
        uploads = settings.get().uploads
        if (folder / "uploads").is_dir():
            shutil.copytree(folder / "uploads", uploads, dirs_exist_ok=True)
        db.engine().dispose()
        _swap(private)
    return manifest


def _holds_records(private: cluster.Cluster) -> bool:
    with psycopg.connect(private.dsn(), autocommit=True) as connection:
        made = connection.execute("SELECT to_regclass('unit')").fetchone()
        if not made or made[0] is None:
            return False
        found = connection.execute("SELECT EXISTS (SELECT FROM unit)").fetchone()
        return bool(found and found[0])


def _swap(private: cluster.Cluster) -> None:
    """Give the restored database its name, in one transaction of the server's catalog."""
    with psycopg.connect(private.dsn("postgres", "postgres"), autocommit=True) as connection:
        connection.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = 'wangge'")
        with connection.transaction():
            connection.execute("ALTER DATABASE wangge RENAME TO wangge_replaced")
            connection.execute("ALTER DATABASE wangge_restoring RENAME TO wangge")
    private.drop_database("wangge_replaced")


def _put_keys(keys: secrets.Keys) -> None:
    """Make the backup's keys this installation's; the ones that were here stay beside them."""
    path = settings.get().key_file
    if path.exists() and secrets.Keys.from_json(path.read_text()) != keys:
        path.replace(path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%d%H%M%S}"))
    if not path.exists():
        draft = path.with_name(path.name + ".part")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(keys.to_json())
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    secrets.forget()


def _unpack(path: Path, folder: Path) -> dict[str, Any]:
    try:
        with tarfile.open(path) as tar:
            for entry in tar:
                _take_out(tar, entry, folder)
        manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
    except (OSError, tarfile.TarError, ValueError) as error:
        raise Invalid(_("{path} is no backup, or it is damaged.", path=path)) from error
    if manifest.get("format") != FORMAT:
        raise Invalid(_("{path} was written by another version of wangge.", path=path))
    return manifest


def _take_out(tar: tarfile.TarFile, entry: tarfile.TarInfo, folder: Path) -> None:
    """Copy one file out of a backup, never to anywhere outside ``folder``."""
    target = (folder / entry.name).resolve()
    content = tar.extractfile(entry)
    if content is None or not entry.isfile() or not target.is_relative_to(folder.resolve()):
        raise tarfile.TarError(entry.name)
    target.parent.mkdir(parents=True, exist_ok=True)
    with target.open("wb") as file:
        shutil.copyfileobj(content, file)


def _add(tar: tarfile.TarFile, name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    source: IO[bytes] = io.BytesIO(content)
    tar.addfile(entry, source)


def _seal(content: bytes, passphrase: str) -> bytes:
    salt, nonce = os.urandom(_SALT_BYTES), os.urandom(_NONCE_BYTES)
    key = hashlib.scrypt(passphrase.encode(), salt=salt, dklen=32, **_SCRYPT)
    return salt + nonce + AESGCM(key).encrypt(nonce, content, None)


def _open(sealed: bytes, passphrase: str) -> bytes:
    salt, nonce = sealed[:_SALT_BYTES], sealed[_SALT_BYTES : _SALT_BYTES + _NONCE_BYTES]
    key = hashlib.scrypt(passphrase.encode(), salt=salt, dklen=32, **_SCRYPT)
    try:
        return AESGCM(key).decrypt(nonce, sealed[_SALT_BYTES + _NONCE_BYTES :], None)
    except InvalidTag as error:
        raise Invalid(_("The passphrase is not the one this backup was made with.")) from error


def _run(program: str, *arguments: object) -> None:
    done = subprocess.run(
        [cluster.programs() / program, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        raise BackupFailed(_("{program} failed: {reason}", program=program, reason=said[-1] if said else ""))
