"""Calls 拨打电话: a number that is masked on the page is dialled without being read, which is recorded."""

from __future__ import annotations

import re
import unicodedata
from typing import Any

from sqlalchemy.orm import Session

from data.base import access, audit, secrets
from data.base.access import Actor
from data.base.errors import Conflict
from data.base.language import _
from spatial import spelling

_NUMBER = re.compile(r"\+?\d[\d-]{4,18}\d")


class NoNumber(Conflict):
    """Nothing that can be dialled is known."""


def number_in(text: str | None) -> str | None:
    """The first number in a text that can be dialled, as a ``tel:`` address has it.

    >>> number_in("王奶奶 ＋86 154-0000-0001，晚上"), number_in("微信 abc"), number_in("010—62345678 转 8")
    ('+8615400000001', None, '01062345678')
    """
    if not text or isinstance(text, secrets.Unreadable):
        return None
    plain = unicodedata.normalize("NFKC", spelling.visible(text)).replace("—", "-")
    match = _NUMBER.search(re.sub(r"(?<=\d)\s(?=\d)", "", plain))
    return match[0].replace("-", "") if match else None


def dial(session: Session, actor: Actor, record: Any, field: str, grid_id: int | None) -> str:
    """The number of a record that is to be dialled; that it was, and by whom, is recorded.

    Parameters
    ----------
    record
        A record of a community that the actor was shown to see.
    field
        Which of its fields has the number.
    grid_id
        The grid the record lies in.

    Raises
    ------
    Forbidden
        The actor may not see personal data there.
    NoNumber
    """
    access.require(actor, "person.unmask", record.community_id, grid_id)
    number = number_in(getattr(record, field))
    if number is None:
        raise NoNumber(_("No number that can be dialled is known here."))
    purpose = _("Phone call")
    audit.record(
        session,
        actor,
        "call",
        record.__tablename__,
        record.id,
        community_id=record.community_id,
        purpose=purpose,
        changes={"fields": [None, [field]]},
    )
    return number
