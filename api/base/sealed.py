"""Something personal on its way through an address: sealed, so that no address, log or history tells what it is.

A page that was asked for by a form has to have an address, or a browser shows an error when one comes back to it.
"""

from __future__ import annotations

import base64
import json
from typing import Any

from cryptography.exceptions import InvalidTag

from data.base import secrets
from data.base.access import Actor


def seal(actor: Actor, values: dict[str, Any]) -> str:
    """``values``, for this actor alone to open again."""
    text = json.dumps([actor.account_id, values])
    return base64.urlsafe_b64encode(secrets.encrypt(text)).decode().rstrip("=")


def opened(actor: Actor, sealed: str) -> dict[str, Any]:
    """What was sealed for this actor; nothing for anybody else, and of anything else."""
    try:
        account_id, values = json.loads(secrets.decrypt(base64.urlsafe_b64decode(sealed + "=" * (-len(sealed) % 4))))
    except (ValueError, InvalidTag):
        return {}
    return dict(values) if account_id == actor.account_id else {}
