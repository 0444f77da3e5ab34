"""What every command does at a terminal: speak its language, have the database up, say what happened."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import typer

from data.base import language


def speak() -> None:
    """Speak the language of the terminal: ``WANGGE_LANGUAGE``, else English where the locale is English."""
    from data.base import settings

    chosen = settings.get().language
    if "WANGGE_LANGUAGE" not in os.environ:
        locale = next((os.environ[n] for n in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(n)), "")
        chosen = "en" if locale.startswith("en") else chosen
    language.use(chosen)


@contextmanager
def ready(*, migrated: bool = False) -> Iterator[None]:
    """The database up inside the block, whole after whatever cut it off, with the keys it was written with.

    Parameters
    ----------
    migrated
        Whether it is brought to this version's tables first.
    """
    from data import attaching, keys
    from data.base import cluster, db, takeover

    attaching.attach()
    with cluster.available():
        takeover.tidy()
        if migrated:
            from data import migrations

            migrations.migrate(db.engine())
        keys.check(db.engine())
        yield


def say(line: str) -> None:
    """One line for the person at the terminal."""
    typer.echo(line, err=True)


def report(result: dict[str, Any], as_json: bool, line: str) -> None:
    """A command's result: as JSON on stdout when asked for, else as a line."""
    typer.echo(json.dumps(result, ensure_ascii=False, default=str) if as_json else line)
