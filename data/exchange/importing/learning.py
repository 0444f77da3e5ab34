"""What an import learns of how a community writes, and how the next one recalls it (``data.terms``).

A heading is learnt when somebody matched a column that was not recognised, a word when somebody mended one that no list
has, and only once the rows are in.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sqlalchemy.orm import Session

from data import terms, units
from data.base import language, reference
from data.base.access import Actor
from data.base.language import _
from data.exchange.importing.batch import Report
from data.exchange.importing.mends import Mends
from data.exchange.importing.opened import Opened
from data.files import columns, values
from data.files.values import Type

if TYPE_CHECKING:
    from data.files.reading import Source

_LONGEST = 100
"""A longer text is a remark, no word."""


def recalled(
    known: terms.Known, source: Source, recognised: Mapping[str, str], chosen: Mapping[str, str | None]
) -> dict[str, str]:
    """Which columns are which field as it is remembered, beside those that the person chose; that is noted."""
    taken = {*recognised.values(), *chosen.values()}
    found: dict[str, str] = {}
    for column in source.columns:
        name = known.headings.get(values.plain(column))
        if name and column not in chosen and column not in recognised and name not in taken:
            found[column] = name
            taken.add(name)
    return found


def learn(
    session: Session, actor: Actor, community: units.Unit, opened: Opened, mends: Mends | None, report: Report
) -> None:
    """Remember what somebody said about the columns and words of a file that is in."""
    learnt = {
        (terms.HEADING, column, values.plain(column)): name
        for column, name in opened.said.items()
        if name not in columns.PLACE_FIELDS and len(column) <= _LONGEST
    }
    if mends:
        learnt |= _words(opened, mends, {reject.row for reject in report.rejects})
    terms.remember(session, actor, community.id, opened.kind, learnt)


def _words(opened: Opened, mends: Mends, rejected: set[int]) -> dict[tuple[str, str, str], str]:
    """The words that were mended in rows that are in: field, word, made plain → code."""
    source, words = opened.source, {}
    at = {int(row): position for position, row in enumerate(source.rows)}
    for row, cells in mends.cells.items():
        if row in rejected or row not in at or (mends.only is not None and row not in mends.only):
            continue
        for column, value in cells.items():
            name = opened.mapping.get(column, "")
            one = columns.field(opened.kind, name) if name and name not in columns.PLACE_FIELDS else None
            if one is None or one.type is not Type.CHOICE:
                continue
            known = columns.words(one.choices)
            written, code = _text(source.frame[column].iloc[at[row]]), known.get(values.plain(value))
            if code and written and len(written) <= _LONGEST and values.plain(written) not in known:
                words[name, written, values.plain(written)] = code
    return words


def _text(cell: Any) -> str:
    return "" if values.is_empty(cell) else values.clean(values.as_text(cell))


def words_recalled(opened: Opened) -> list[str]:
    """What is said of headings and words that were read as it is remembered."""
    said = []
    for column, name in opened.said.items():
        if opened.known.headings.get(values.plain(column)) == name:
            said.append(_("“{word}” is “{meaning}”", word=column, meaning=columns.field(opened.kind, name).label))
    for column, name in opened.mapping.items():
        known = opened.known.words.get(name)
        if not known:
            continue
        written = {_text(cell) for cell in opened.source.frame[column].unique()}
        said += [
            _("“{word}” is “{meaning}”", word=word, meaning=meaning(opened.kind, name, known[values.plain(word)]))
            for word in sorted(written)
            if word and values.plain(word) in known
        ]
    if not said:
        return []
    listed = _("; ").join(said[:10]) + (" …" if len(said) > 10 else "")
    return [_("Read as it was said before for this community: {terms}.", terms=listed)]


def meaning(kind: str, name: str, means: str) -> str:
    """What a term means, in words: the name of a field, or of a code of its list."""
    if name == terms.HEADING:
        return columns.field(kind, means).label
    choices = columns.field(kind, name).choices
    labels = reference.labels(choices, language.current()) if choices in reference.names() else {}
    if means in labels:
        return str(labels[means])
    return next((word for word, code in columns.words(choices).items() if code == means and not word.isascii()), means)
