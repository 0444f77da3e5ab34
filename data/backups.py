"""Backups: one file that holds the database, the uploads and the keys of an installation, and the way back.

The file is a tar with ``manifest.json`` (what it is, told before anything else is read), ``keys.enc`` (the keys of the
encrypted fields and files, encrypted with a passphrase: scrypt, then AES-256-GCM), ``database.dump`` (``pg_dump``'s
custom format, one consistent snapshot of a live database), ``uploads/…``, and ``checksums.json`` with the SHA-256 of
all that. Encrypted fields and uploads cannot be read without the passphrase; the rest of the database can.

A backup is read back before it is said to be written. A restore goes into a database of its own that takes the old
one's name only when it is complete and answers as requests ask it; ``data.base.takeover`` does that step. Whatever cuts
it off, the installation is either the old one or the restored one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import io
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any
from uuid import uuid4

import psycopg
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from data import keys as key_marks
from data import migrations
from data.base import cluster, database_roles, db, scratch, sealed, secrets, settings, takeover
from data.base.errors import Conflict, Invalid, WanggeError
from data.base.language import _

FORMAT = 2
#: Without checksums and fingerprint, and with files that lay open for a job.
_FORMATS = (1, FORMAT)
_SCRYPT = {"n": 2**15, "r": 8, "p": 1, "maxmem": 2**26}
_SALT_BYTES = 16
_NONCE_BYTES = 12
_DRAFTS = ".wangge-backup-"
_CHECKSUMS = "checksums.json"
#: What lay in the uploads for as long as a job read it, in backups of earlier versions.
_OPEN = ("uploads", "open")

Progress = Callable[[str], None]


def _silent(_step: str) -> None:
    pass


class BackupFailed(WanggeError):
    """The backup could not be written or read back, or PostgreSQL's programs failed."""


# ---- writing -------------------------------------------------------------------------------------------------------


def write(path: Path, passphrase: str, progress: Progress = _silent) -> dict[str, Any]:
    """Back up this installation, while it runs, to ``path``; returns the manifest.

    The file appears under its name only when it is whole and was read back.

    Raises
    ------
    Invalid
        The passphrase is too short.
    Conflict
        There is a file already; or the keys here are not those of the database.
    BackupFailed
        The disk is full, or what was written is not what there is.
    """
    if len(passphrase) < 8:
        raise Invalid(_("The passphrase needs at least 8 characters."))
    if path.exists():
        raise Conflict(_("{path} exists already. Name another file.", path=path))
    scratch.sweep()
    try:
        with _draft_folder(path.parent) as folder, _nothing_removed():
            manifest = _write(folder, passphrase, progress)
            progress(_("Reading it back …"))
            _verify(folder, passphrase)
            with (folder / "draft").open("rb") as written:
                os.fsync(written.fileno())
            os.link(folder / "draft", path)  # unlike a renaming, this replaces no file that has come meanwhile
    except FileExistsError as error:
        raise Conflict(_("{path} exists already. Name another file.", path=path)) from error
    except OSError as error:
        if error.errno not in (errno.ENOSPC, errno.EDQUOT):
            raise
        free = shutil.disk_usage(path.parent).free / 1e6
        raise BackupFailed(
            _(
                "The disk of {folder} is full ({free:.0f} MB are free). No backup was written, and nothing of it is "
                "left; name a file on another disk.",
                folder=path.parent,
                free=free,
            )
        ) from error
    return {**manifest, "path": str(path), "size": path.stat().st_size}


def _write(folder: Path, passphrase: str, progress: Progress) -> dict[str, Any]:
    key_marks.check(db.engine())
    uploads, dump = settings.get().uploads, folder / "database.dump"
    with db.engine().connect() as connection:
        roles = _granted_roles(connection.connection.driver_connection)
    manifest = {
        "format": FORMAT,
        "made_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "revision": migrations.current(db.engine()),
        "keys": secrets.keys().fingerprint,
        "roles": roles,
    }
    progress(_("Writing the database …"))
    _run("pg_dump", "--format=custom", "--no-comments", "--exclude-table-data=*.spatial_ref_sys", f"--file={dump}")
    with _created(folder / "draft") as out, tarfile.open(fileobj=out, mode="w") as tar:
        sums: dict[str, str] = {}
        _add(tar, sums, "manifest.json", json.dumps(manifest).encode())
        _add(tar, sums, "keys.enc", _seal(secrets.keys().to_json().encode(), passphrase))
        _add_file(tar, sums, "database.dump", dump)
        progress(_("Writing the uploads …"))
        for file in sorted(uploads.rglob("*")):
            # Each was written whole before it got its name, and none is removed while we are at it.
            if file.is_file() and not file.is_symlink() and not file.name.endswith(".part"):
                name = file.relative_to(uploads.parent)
                if name.parts[:2] != _OPEN:
                    _add_file(tar, sums, name.as_posix(), file)
        _add(tar, {}, _CHECKSUMS, json.dumps(sums).encode())
    return manifest


def _verify(folder: Path, passphrase: str) -> None:
    """Read a written backup as a restore does, and PostgreSQL's part to its end."""
    counted: dict[str, str] = {}
    with tarfile.open(folder / "draft") as tar:
        sealed_keys = b""
        for name, content in _entries(tar):
            if name == _CHECKSUMS:
                expected = json.load(content)
                break
            if name == "keys.enc":
                sealed_keys = content.read()
                counted[name] = hashlib.sha256(sealed_keys).hexdigest()
            else:
                counted[name] = _digest(content)
        else:
            expected = None
    whole = counted == expected and secrets.Keys.from_json(_open(sealed_keys, passphrase).decode()) == secrets.keys()
    if not whole:
        raise BackupFailed(_("What was written is not what is read back. Look at the disk, and write another backup."))
    _run("pg_restore", "--file=/dev/null", folder / "database.dump", connected=False)


def _created(path: Path) -> IO[bytes]:
    """A new file for its owner only."""
    return os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb")


def _digest(content: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while piece := content.read(1 << 20):
        digest.update(piece)
    return digest.hexdigest()


@contextmanager
def _draft_folder(parent: Path) -> Iterator[Path]:
    """A folder for what is written, on the disk of the backup; what earlier ones left that were killed is removed."""
    for left in parent.glob(f"{_DRAFTS}*"):
        with (left / "lock").open("a") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_DRAFTS, dir=parent) as name, (Path(name) / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield Path(name)


@contextmanager
def _nothing_removed() -> Iterator[None]:
    """Keep uploads that records name now from being removed before they are copied."""
    with psycopg.connect(cluster.dsn(), autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock_shared(%s, 0)", [sealed.LOCK_ROOM])
        yield


#: Roles of the server that rights in this database were granted to, and of which roles they are members.
_GRANTED = """
    SELECT r.rolname, array(
        SELECT g.rolname::text FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid WHERE m.member = r.oid
    ) AS member_of
    FROM pg_roles r WHERE r.rolname <> current_user AND r.rolname !~ '^pg_' AND r.oid IN (
        SELECT refobjid FROM pg_shdepend d JOIN pg_database b ON b.oid = d.dbid
        WHERE b.datname = current_database() AND d.refclassid = 'pg_authid'::regclass AND d.deptype IN ('a', 'r')
    ) ORDER BY r.rolname
"""


def _granted_roles(connection: Any) -> dict[str, list[str]]:
    return {name: list(member_of) for name, member_of in connection.execute(_GRANTED).fetchall()}


def _add(tar: tarfile.TarFile, sums: dict[str, str], name: str, content: bytes) -> None:
    entry = tarfile.TarInfo(name)
    entry.size, entry.mode = len(content), 0o600
    sums[name] = hashlib.sha256(content).hexdigest()
    tar.addfile(entry, io.BytesIO(content))


def _add_file(tar: tarfile.TarFile, sums: dict[str, str], name: str, path: Path) -> None:
    """Add a file as a plain one, whatever other names it may have."""
    with path.open("rb") as file:
        sums[name] = _digest(file)
        entry = tarfile.TarInfo(name)
        entry.size, entry.mode, entry.mtime = file.tell(), 0o600, path.stat().st_mtime
        file.seek(0)
        tar.addfile(entry, file)


# ---- restoring -----------------------------------------------------------------------------------------------------


def restore(
    path: Path,
    passphrase: str,
    *,
    replace: bool = False,
    replace_keys: bool = False,
    progress: Progress = _silent,
) -> dict[str, Any]:
    """Bring back the installation that ``write`` put into ``path``.

    Everything that speaks against it is found before anything here is touched.

    Parameters
    ----------
    replace
        Whether an installation that holds records may be replaced.
    replace_keys
        Whether the keys of an installation that holds records may be replaced by other ones.

    Raises
    ------
    Invalid
        The file is no backup, or damaged, or the passphrase is another one.
    Conflict
        The installation here holds records and ``replace`` was not said, or has other keys; or the backup is newer
        than this program.
    Busy
        The server runs on the installation, or something else uses its database.
    """
    if settings.get().database_url:
        raise Conflict(
            _("Restoring works on the private cluster. For another server use pg_restore with the dump in the backup.")
        )
    private, home = cluster.private(), settings.get().home
    with cluster.alone(home), takeover.one_at_a_time():
        takeover.finish_alone()
        manifest = _manifest(path)
        _refuse_newer(path, manifest)
        holds_records = _holds_records(private)
        if holds_records and not replace:
            raise Conflict(_("There are records here already. Say --replace to put the backup in their place."))
        folder = takeover.folder()
        sealed.make_folder(folder)
        try:
            progress(_("Reading the backup …"))
            _unpack(path, folder)
            keys = _keys(folder, manifest, passphrase)
            if holds_records and not replace_keys:
                _refuse_other_keys(keys)
            progress(_("Restoring the database …"))
            _restore_database(private, folder / "database.dump", manifest, keys)
            progress(_("Taking its place …"))
            takeover.lay_ready(private, uuid4().hex)
            takeover.swap(private)
        finally:
            db.engine().dispose()
            takeover.finish_alone()
    return manifest


def _refuse_newer(path: Path, manifest: dict[str, Any]) -> None:
    if manifest.get("format") not in _FORMATS or not migrations.knows(manifest.get("revision")):
        raise Conflict(
            _(
                "{path} was written by a newer wangge (format {format}, tables {revision}). Bring this one up to date "
                "first; nothing was changed.",
                path=path,
                format=manifest.get("format"),
                revision=manifest.get("revision"),
            )
        )


def _refuse_other_keys(keys: secrets.Keys) -> None:
    held = secrets.stored()
    if held is not None and held != keys:
        raise Conflict(
            _(
                "The backup has other keys (fingerprint {backup}) than the installation here ({held}): it is one of "
                "another installation, or from before keys were lost. Restore it into an empty folder (WANGGE_HOME), "
                "or say --replace-keys too; nothing was changed.",
                backup=keys.fingerprint,
                held=held.fingerprint,
            )
        )


def _keys(folder: Path, manifest: dict[str, Any], passphrase: str) -> secrets.Keys:
    """The keys of an unpacked backup, laid ready as a key file."""
    keys = secrets.Keys.from_json(_open((folder / "keys.enc").read_bytes(), passphrase).decode())
    if manifest.get("keys", keys.fingerprint) != keys.fingerprint:
        raise Invalid(_("The keys in the backup are not those that its manifest names. Take another backup."))
    secrets.write_keys(folder / "keys.json", keys)
    return keys


def _restore_database(private: cluster.Cluster, dump: Path, manifest: dict[str, Any], keys: secrets.Keys) -> None:
    """Make the backup's database under another name, at this version's tables, and try it."""
    private.drop_database(takeover.RESTORED)
    private.create_database(takeover.RESTORED)
    engine = db.make_engine(private.dsn(takeover.RESTORED))
    try:
        with engine.begin() as connection:
            database_roles.prepare(connection)
            for role, member_of in manifest.get("roles", {}).items():
                database_roles.make(connection, role, member_of=member_of)
        dsn = private.dsn(takeover.RESTORED)
        _run("pg_restore", "--exit-on-error", "--single-transaction", "--no-owner", "--no-comments", dump, dsn=dsn)
        migrations.migrate(engine)
        with engine.connect() as connection:
            mark = key_marks.marked(connection)
            if mark not in (None, keys.fingerprint):
                raise Invalid(_("The database in the backup was written with other keys than those in it."))
            connection.rollback()
            db.try_as_request(connection)
    finally:
        engine.dispose()


def _holds_records(private: cluster.Cluster) -> bool:
    with psycopg.connect(private.dsn(), autocommit=True) as connection:
        made = connection.execute("SELECT to_regclass('unit')").fetchone()
        if not made or made[0] is None:
            return False
        found = connection.execute("SELECT EXISTS (SELECT FROM unit)").fetchone()
        return bool(found and found[0])


def _damaged(path: Path) -> Invalid:
    return Invalid(_("{path} is no backup, or it is damaged.", path=path))


def _manifest(path: Path) -> dict[str, Any]:
    """What a backup is, from its beginning alone."""
    if not path.is_file():
        raise Invalid(_("There is no file {path}.", path=path))
    try:
        with tarfile.open(path) as tar:
            for name, content in _entries(tar):
                manifest = json.load(content) if name == "manifest.json" else None
                if isinstance(manifest, dict):
                    return manifest
                break
    except (OSError, tarfile.TarError, ValueError) as error:
        raise _damaged(path) from error
    raise _damaged(path)


def _unpack(path: Path, folder: Path) -> None:
    """Lay the files of a backup into ``folder``, each compared with its checksum, never anywhere else."""
    sums: dict[str, str] = {}
    expected: dict[str, str] | None = None
    manifest: dict[str, Any] = {}
    try:
        with tarfile.open(path) as tar:
            for name, content in _entries(tar):
                if name == _CHECKSUMS:
                    expected = json.load(content)
                elif Path(name).parts[:2] != _OPEN:
                    sums[name] = _take_out(content, folder / name, folder)
        manifest = json.loads((folder / "manifest.json").read_text())
    except (tarfile.TarError, ValueError, EOFError, FileNotFoundError, IsADirectoryError) as error:
        raise _damaged(path) from error
    if not sums.keys() >= {"keys.enc", "database.dump"} or (manifest["format"] > 1 and sums != expected):
        raise _damaged(path)


def _entries(tar: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    """Name and content of the files of a backup; of a hard link the content of what it links to."""
    for entry in tar:
        content = tar.extractfile(entry) if entry.isreg() or entry.islnk() else None
        if content is None:
            raise tarfile.TarError(entry.name)
        yield entry.name, content


def _take_out(content: IO[bytes], target: Path, folder: Path) -> str:
    """Copy one file out of a backup, for its owner only; returns its SHA-256."""
    if not target.resolve().is_relative_to(folder.resolve()):
        raise tarfile.TarError(target.name)
    sealed.make_folder(target.parent)
    digest = hashlib.sha256()
    with _created(target) as file:
        while piece := content.read(1 << 20):
            digest.update(piece)
            file.write(piece)
    return digest.hexdigest()


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


def _run(program: str, *arguments: object, connected: bool = True, dsn: str | None = None) -> None:
    """Run a program of PostgreSQL on the database; a password goes by the environment, where nobody else sees it."""
    environment = dict(os.environ)
    if connected:
        parts = conninfo_to_dict(dsn or cluster.dsn())
        environment["PGPASSWORD"] = str(parts.pop("password", None) or environment.get("PGPASSWORD", ""))
        arguments = (f"--dbname={make_conninfo(**{name: str(value) for name, value in parts.items()})}", *arguments)
    done = subprocess.run(
        [cluster.programs() / program, *map(str, arguments)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    if done.returncode:
        said = done.stderr.strip().splitlines()
        if any(os.strerror(errno.ENOSPC) in line for line in said):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        raise BackupFailed(_("{program} failed: {reason}", program=program, reason=said[-1] if said else ""))
