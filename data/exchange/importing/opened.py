"""A file on its way in: read, with its columns matched to fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from data import terms
from data.files.columns import Kind

if TYPE_CHECKING:
    from data.files.reading import Source


@dataclass(frozen=True)
class Opened:
    """A file that was read, and which of its columns is which field.

    Attributes
    ----------
    mapping
        Column → field.
    clocks
        Column of a day → column of the time that goes with it.
    known
        What is remembered of such files, and was read by.
    said
        Which columns the person said to be which field, where they would not have been recognised as it.
    """

    kind: Kind
    source: Source
    mapping: dict[str, str]
    clocks: dict[str, str] = field(default_factory=dict)
    known: terms.Known = terms.NOTHING
    said: dict[str, str] = field(default_factory=dict)
