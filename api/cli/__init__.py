"""The command line ``wangge``. Every command is a thin room: it opens a transaction, calls one function, reports.

Modules below register their commands in ``register``; what a command needs is imported inside it, so that ``wangge
--help`` and short commands start at once. A ``WanggeError`` becomes its sentence on stderr and exit code 2, and so
does a folder that cannot be written to or a disk that is full.
"""

from __future__ import annotations

import errno
import gc
import os
import sys
from pathlib import Path

import typer

from api.cli import terminal
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
    from api.cli import accounts, backups, database, doctor, exchange, exporting, implementation, keys, serve, units

    for module in (serve, database, units, accounts, exchange, exporting, implementation, backups, keys, doctor):
        module.register(app)


def main() -> None:
    """Run the command line."""
    from data.base.errors import WanggeError

    imports = sys.argv[1:2] == ["import"]
    if imports:
        # A short process that makes millions of values and no cycles: looking for these took a fifth of its time.
        gc.disable()
    try:
        if imports and any(Path(word).exists() for word in sys.argv[2:]):
            # The reader of files loads beside this process: before anything else, because it takes longest.
            from data.files import confined

            confined.warm()
        terminal.speak()
        _register_all()
        app(prog_name="wangge")
    except WanggeError as error:
        terminal.say(error.detail)
        sys.exit(2)
    except OSError as error:
        if error.errno not in _OF_THE_MACHINE:
            raise
        advice = _("Make room or allow writing there, or set WANGGE_HOME to another folder.")
        terminal.say(f"{error.filename or '–'}: {error.strerror}. {advice}")
        sys.exit(2)
    except Exception as error:
        if (sentence := _of_the_database(error)) is None:
            raise
        terminal.say(sentence)
        sys.exit(2)
    except SystemExit as end:
        if sys.argv[1:2] == ["import"] and end.code == 0:
            _tidy()
            _leave_at_once()
        raise
    finally:
        _tidy()


def _tidy() -> None:
    from data.base import processes

    processes.tidy()


def _of_the_database(error: Exception) -> str | None:
    """What an error of the database means, if it is one; whoever met with it had the database loaded."""
    if "sqlalchemy.exc" not in sys.modules:
        return None
    from sqlalchemy.exc import DBAPIError

    from data.base import db

    return db.explain(error).detail if isinstance(error, DBAPIError) else None


def _leave_at_once() -> None:
    """End the process without taking apart what it has read, which takes as long as reading it."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
