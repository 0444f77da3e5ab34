"""What a figure is: a name, how it is counted, and the ``SELECT`` of the records behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any

from sqlalchemy import literal, select

from data.base import access
from data.base.access import Actor, Rows
from data.base.errors import Invalid
from data.base.language import _


class Field(StrEnum):
    """The part of the work that a figure tells of, in the order of the report."""

    GROUND = "ground"
    PEOPLE = "people"
    TEAMS = "teams"
    VISITS = "visits"
    DIARY = "diary"
    CASES = "cases"
    DISPUTES = "disputes"
    ACTIVITIES = "activities"


@dataclass(frozen=True)
class Span:
    """The days that are asked for, both included. What is counted as it stands, is counted at the end of the last."""

    first: date
    last: date

    def __post_init__(self) -> None:
        """Refuse days that run backwards.

        Raises
        ------
        Invalid
        """
        if self.first > self.last:
            raise Invalid(_("The first day comes after the last. Change one of them."), field="from")


@dataclass(frozen=True, kw_only=True)
class Figure:
    """A number of records.

    Attributes
    ----------
    how
        A sentence that says what is counted.
    table
        Whose records are counted.
    rows
        Of an actor and days: the records that the actor may see, with the columns of ``row``.
    people
        Whether it is a number of people or households, which those may know too who may not know who they are.
    within
        Whether it counts what happened within the days; else how things stand at their end.
    """

    code: str
    field: Field
    name: str
    how: str
    table: type[Any]
    rows: Callable[[Actor, Span], Rows]
    people: bool = False
    within: bool = True

    def told(self, actor: Actor) -> bool:
        """Whether the actor may know this number anywhere at all; who may not is shown none, and not a nought."""
        return actor.may(self.table.__read__) or (self.people and actor.may(access.COUNTS))


@dataclass(frozen=True, kw_only=True)
class Share:
    """A figure as a share of another one, 0–1; ``None`` where there is nothing to have a share of."""

    code: str
    field: Field
    name: str
    how: str
    part: str
    whole: str


def row(
    record_id: Any, community_id: Any, grid_id: Any, known_at: Any, label: Any, *, shown: Any = None, amount: Any = None
) -> Rows:
    """The columns of a figure's rows: ``record_id community_id grid_id known_at label shown amount``.

    Parameters
    ----------
    known_at
        When the record came in.
    label
        What it is called where nobody is named.
    shown
        The id of what shows it: of a visit its household. The record's own as a rule.
    amount
        What it adds to the number, one as a rule.
    """
    query: Rows = select(
        record_id.label("record_id"),
        community_id.label("community_id"),
        grid_id.label("grid_id"),
        known_at.label("known_at"),
        label.label("label"),
        (record_id if shown is None else shown).label("shown"),
        (literal(1) if amount is None else amount).label("amount"),
    )
    return query
