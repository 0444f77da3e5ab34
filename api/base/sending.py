"""A form that is sent again is done once, and one that a script sends learns in a header where to go on.

The scripts of our pages (``static/js/drafts``) keep what was typed until it was acknowledged. They send a form by
themselves, with its token as ``once`` among the fields, and say so by the header ``X-Kept``; instead of a redirect they
get the address to go on to (``X-Go``), so that it is the page that shows what was done, and not a request behind it.
"""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.datastructures import FormData, UploadFile
from starlette.responses import RedirectResponse, Response

from api.base import deps
from data.base import secrets, sendings

#: Fields that are no part of what was typed.
_AROUND = {"csrf_token", "once", "version"}
_FORMS = ("application/x-www-form-urlencoded", "multipart/form-data")
_LONGEST = 100


class Again(Exception):
    """A form that was taken in before; the answer leads to where it led then."""

    def __init__(self, address: str) -> None:
        super().__init__(address)
        self.address = address


async def _coming(request: Request) -> sendings.Form | None:
    if request.method != "POST" or not request.headers.get("content-type", "").startswith(_FORMS):
        return None
    return read(await deps.form(request))


def read(form: FormData) -> sendings.Form | None:
    """A form with the token that it came with; ``None`` without one."""
    token = form.get("once")
    if not isinstance(token, str) or not token:
        return None
    return sendings.Form(token[:_LONGEST], "\n".join(sorted(map(_told, form.multi_items()))))


def _told(item: tuple[str, str | UploadFile]) -> str:
    name, value = item
    if name in _AROUND or (isinstance(value, UploadFile) and not value.filename):
        return ""
    return f"{name}={value.filename!r} {value.size}" if isinstance(value, UploadFile) else f"{name}={value!r}"


#: The form of this request, if it came with a token.
Coming = Annotated[sendings.Form | None, Depends(_coming)]


def go(request: Request, address: str) -> Response:
    """The way on, after something was taken in."""
    if "x-kept" in request.headers:
        return Response(status_code=204, headers={"X-Go": address})
    return RedirectResponse(address, 303)


def again(request: Request, error: Exception) -> Response:
    """The answer to a form that was taken in before."""
    assert isinstance(error, Again)
    return go(request, error.address)


def key_of(account_id: int) -> str:
    """The key with which an account's drafts are encrypted on a device: only its own pages bring it there."""
    return secrets.blind(f"drafts of account {account_id}").hex()
