"""The words of the closed lists of movements."""

from __future__ import annotations

from data.base.language import _
from data.movements.tables import Kind, Reach


def kind_names() -> dict[str, str]:
    """What happened to a person, in the order in which it is offered."""
    return {
        Kind.MOVED_IN: _("Moved in"),
        Kind.MOVED_OUT: _("Moved out"),
        Kind.MOVED: _("Moved within the community"),
        Kind.BORN: _("Birth"),
        Kind.DIED: _("Death"),
        Kind.MARRIED: _("Marriage"),
        Kind.DIVORCED: _("Divorce"),
    }


def reach_names() -> dict[str, str]:
    """From how far somebody came, or how far away they went."""
    return {
        Reach.DISTRICT: _("The same district"),
        Reach.CITY: _("The same city"),
        Reach.ELSEWHERE: _("Another city or province"),
        Reach.ABROAD: _("Abroad"),
        Reach.UNKNOWN: _("Not known"),
    }
