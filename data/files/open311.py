"""Open311 GeoReport: what its documents are besides requests, so that the wrong one is refused by its name.

Only lists of service requests hold cases. A server of the same kind also hands out its list of services, the definition
of one service, the receipt of a report (a number or a token, nothing else) and errors, and what was saved of an answer
may still begin with the server's HTTP header.

Source: GeoReport v2, https://wiki.open311.org/GeoReport_v2/
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from data.base.errors import Invalid
from data.base.language import _

_TAGS = re.compile(r"<[^>]*>")


def refuse_answer(text: str, name: str) -> None:
    """Refuse what begins with the header of an HTTP answer.

    Raises
    ------
    Invalid
    """
    found = re.match(r"HTTP/[\d.]+ +(\d{3}[^\r\n]*)", text)
    if found:
        _head, _gap, body = text.replace("\r\n", "\n").partition("\n\n")
        raise Invalid(
            _(
                "“{name}” is a server’s answer with its header ({status}): {said}. Save the answer’s body only.",
                name=name,
                status=found[1].strip(),
                said=_said(body) or "—",
            )
        )


def refuse_root(root: str, body: str, name: str) -> None:
    """Refuse a GeoReport document that holds no requests, by the element it begins with.

    Raises
    ------
    Invalid
    """
    if root in ("error", "errors"):
        raise _error(name, _said(body))
    if root == "services":
        raise _services(name, len(re.findall(r"<(?:[\w.-]+:)?service>", body)))
    if root == "service_definition":
        code = re.search(r"<service_code>([^<]*)<", body)
        raise _definition(name, code[1].strip() if code else "?")


def refuse_records(rows: Sequence[Mapping[str, Any]], name: str = "JSON") -> None:
    """Refuse rows of a GeoReport document that are no requests: services, a definition, a receipt, an error.

    Raises
    ------
    Invalid
    """
    names = {key for row in rows for key in row}
    if "service_request_id" in names or "token" in names:
        if (
            rows
            and not names & {"requested_datetime", "status", "lat", "address"}
            and ("token" in names or "service_notice" in names)
        ):
            raise Invalid(
                _(
                    "“{name}” is the receipt of a report (number {number}), not the requests themselves. Ask the "
                    "server "
                    "for requests.xml or requests.json.",
                    name=name,
                    number=rows[0].get("service_request_id") or "?",
                )
            )
        return
    if {"service_code", "service_name", "metadata"} <= names:
        raise _services(name, len(rows))
    if {"service_code", "attributes"} <= names and len(rows) == 1:
        raise _definition(name, str(rows[0]["service_code"]))
    if names and names <= {"code", "description"} and {"code", "description"} <= names and len(rows) == 1:
        raise _error(name, f"{rows[0]['code']} {rows[0]['description']}")


def _services(name: str, count: int) -> Invalid:
    return Invalid(
        _(
            "“{name}” is a list of {count} services of an Open311 server, not of requests. Enter their codes as "
            "external codes of categories, and import requests.",
            name=name,
            count=count,
        )
    )


def _definition(name: str, code: str) -> Invalid:
    return Invalid(
        _(
            "“{name}” defines the service {code} of an Open311 server; it holds no requests. Its questions can be "
            "entered at a category.",
            name=name,
            code=code,
        )
    )


def _error(name: str, said: str) -> Invalid:
    return Invalid(
        _("“{name}” is an error that a server answered ({said}), not a list of requests.", name=name, said=said)
    )


def _said(body: str) -> str:
    """The words of a short XML document."""
    return " ".join(_TAGS.sub(" ", re.sub(r"<\?.*?\?>", "", body)).split())[:200]
