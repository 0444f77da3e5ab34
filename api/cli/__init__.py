"""The command line ``wangge``. Every command is a thin room: it opens a transaction, calls one function, reports.

Modules below register their commands in ``register``; what a command needs is imported inside it, so that ``wangge
--help`` and short commands start at once. A ``WanggeError`` becomes its sentence on stderr and exit code 2, and so
does a folder that cannot be written to or a disk that is full.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import sys
from typing import Any

import typer

from data.base import language
from data.base.language import _

#: What is wrong with the machine, and not with the program.
_OF_THE_MACHINE = {errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.ENOENT, errno.ENOSPC, errno.EDQUOT}

app = typer.Typer(
    name="wangge",
    help="网格 (wangge): grid management for urban communities, on the map.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _register_all() -> None:
    from api.cli import accounts, backups, database, doctor, exchange, exporting, serve, units

    for module in (serve, database, units, accounts, exchange, exporting, backups, doctor):
        module.register(app)


def speak() -> None:
    """Speak the language of the terminal: ``WANGGE_LANGUAGE``, else English where the locale is English."""
    from data.base import settings

    chosen = settings.get().language
    if "WANGGE_LANGUAGE" not in os.environ:
        locale = next((os.environ[n] for n in ("LC_ALL", "LC_MESSAGES", "LANG") if os.environ.get(n)), "")
        chosen = "en" if locale.startswith("en") else chosen
    language.use(chosen)


def say(line: str) -> None:
    """One line for the person at the terminal."""
    typer.echo(line, err=True)


def report(result: dict[str, Any], as_json: bool, line: str) -> None:
    """A command's result: as JSON on stdout when asked for, else as a line."""
    typer.echo(json.dumps(result, ensure_ascii=False, default=str) if as_json else line)


def main() -> None:
    """Run the command line."""
    from data.base.errors import WanggeError

    if sys.argv[1:2] == ["import"]:
        # A short process that makes millions of values and no cycles: looking for these took a fifth of its time.
        gc.disable()
    speak()
    _register_all()
    try:
        app(prog_name="wangge")
    except WanggeError as error:
        say(error.detail)
        sys.exit(2)
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        advice = _("Make room or allow writing there, or set WANGGE_HOME to another folder.")
        say(f"{error.filename or '–'}: {error.strerror}. {advice}")
        sys.exit(2)
    except SystemExit as end:
        if sys.argv[1:2] == ["import"] and end.code == 0:
            _leave_at_once()
        raise


def _leave_at_once() -> None:
    """End the process without taking apart what it has read, which takes as long as reading it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
