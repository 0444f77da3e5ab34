"""The last step of a restore: the restored database, its keys and its files take the place of what was there.

A restore lays keys and files ready in ``WANGGE_HOME/restoring`` and makes its database under another name, marked like
the folder. The database takes the old one's name in one transaction, and that decides: from then on keys and files of
the folder belong to it, and whoever starts next brings them to their place (:func:`finish`). A restore that was cut off
before leaves the installation as it was, and what it had laid ready is removed.
"""

from __future__ import annotations

import fcntl
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path

import psycopg

from data.base import cluster, scratch, secrets, settings
from data.base.errors import Busy
from data.base.language import _

DATABASE, RESTORED, REPLACED = "wangge", "wangge_restoring", "wangge_replaced"
_MARK = "mark"


def folder() -> Path:
    """Where a restore lays things ready."""
    return settings.get().home / "restoring"


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Keep other restores, and whoever would finish one, from what is laid ready."""
    with (settings.get().home / "restore.lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise Busy(_("A backup is being restored here. Wait for its end.")) from error
        yield


def lay_ready(private: cluster.Cluster, mark: str) -> None:
    """Say that all of ``folder`` is there and belongs to the restored database."""
    with psycopg.connect(private.dsn(RESTORED), autocommit=True) as connection:
        connection.execute(f"COMMENT ON DATABASE {RESTORED} IS 'restored {mark}'")
    draft = folder() / f"{_MARK}.part"
    draft.write_text(mark, "ascii")
    draft.replace(folder() / _MARK)


def swap(private: cluster.Cluster) -> None:
    """Give the restored database its name, in one transaction of the server's catalog."""
    with private.administered() as connection:
        cluster.refuse_company(connection, DATABASE)
        with connection.transaction():
            connection.execute(f"ALTER DATABASE {DATABASE} RENAME TO {REPLACED}")
            connection.execute(f"ALTER DATABASE {RESTORED} RENAME TO {DATABASE}")


def finish() -> None:
    """Bring a restore to its end that was cut off, or remove it when it never came to the swap."""
    if settings.get().database_url or not folder().exists():
        return
    with one_at_a_time():
        finish_alone()


def finish_alone() -> None:
    """As ``finish``, for whoever keeps the others away already."""
    private = cluster.private()
    mark = folder() / _MARK
    if mark.exists() and _holds(private, mark.read_text("ascii")):
        _put_keys(folder() / "keys.json")
        _put_uploads(folder() / "uploads")
        private.drop_database(REPLACED)
    else:
        private.drop_database(RESTORED)
    shutil.rmtree(folder(), ignore_errors=True)


def _holds(private: cluster.Cluster, mark: str) -> bool:
    with private.administered() as connection:
        found = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s", [DATABASE]
        ).fetchone()
    return bool(found and found[0] == f"restored {mark}")


def _put_keys(restored: Path) -> None:
    """Make the backup's keys this installation's; the ones that were here stay beside them."""
    if not restored.exists():
        return
    path = settings.get().key_file
    if path.exists() and path.read_bytes() != restored.read_bytes():
        path.replace(path.with_name(f"{path.name}.before-{datetime.now(UTC):%Y%m%d%H%M%S}"))
    restored.replace(path)
    secrets.forget()


def _put_uploads(restored: Path) -> None:
    if not restored.exists():
        return
    uploads, replaced = settings.get().uploads, settings.get().home / "uploads.replaced"
    shutil.rmtree(replaced, ignore_errors=True)
    if uploads.exists():
        uploads.replace(replaced)
    restored.replace(uploads)
    shutil.rmtree(replaced, ignore_errors=True)


def tidy() -> None:
    """Whatever a start finds left over by those who were killed: restores, and files that lay open for a job."""
    finish()
    scratch.sweep()
    uploads = settings.get().uploads
    shutil.rmtree(uploads / "open", ignore_errors=True)  # where files lay open in earlier versions
    with suppress(FileNotFoundError, PermissionError):
        uploads.chmod(0o700)  # earlier restores let everybody in
