"""Encrypted columns on their way in: a text that is there already keeps its ciphertext, so nothing seems to change.

The same text is never encrypted alike twice, so ciphertexts cannot be compared; the texts of those records are.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from sqlalchemy import text

from data.base import secrets
from data.exchange.importing.batch import Batch


def seal(
    batch: Batch, table: str, column: str, ids: Sequence[int], texts: Sequence[str | None], *, known: Collection[int]
) -> list[bytes | None]:
    """``texts`` encrypted for the records ``ids`` of ``table``.

    Where a record (one of ``known``: the others are new) holds the same text in ``column`` already, its own
    ciphertext comes back.
    """
    if not known:
        return secrets.encrypt_all(texts)
    rows = batch.session.execute(
        text(f'SELECT id, "{column}" AS held FROM "{table}" WHERE id = ANY(:ids) AND "{column}" IS NOT NULL'),  # noqa: S608
        {"ids": [*known]},
    )
    held = {row.id: bytes(row.held) for row in rows}
    sealed: list[bytes | None] = []
    for record, value in zip(ids, texts, strict=True):
        if value is None:
            sealed.append(None)
        elif record in held and secrets.readable(held[record]) == value:
            sealed.append(held[record])
        else:
            sealed.append(secrets.encrypt(value))
    return sealed


def blind(texts: Sequence[str | None]) -> list[bytes | None]:
    """The blind indexes of ``texts``."""
    return [secrets.blind(value) if value is not None else None for value in texts]
