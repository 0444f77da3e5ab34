"""What follows from writing, attached to the sessions of a process: nothing acts by being imported.

Every process that writes calls ``attach`` once, before its first transaction: the application, its hands, the worker,
the command line, and the tests. ``data.base.db`` opens none before.
"""

from __future__ import annotations

from data import coverage, reminders
from data.base import audit, changes, db


def attach() -> None:
    """Attach what follows from writing; to do so again changes nothing."""
    changes.attach()
    audit.attach()
    coverage.attach()
    reminders.attach()
    db.attached()
