"""How alike two records are, and by what; in pure functions.

A *key* is a keyed hash of two facts that both records share. Only records with a key in common are compared, so nobody
is compared with everybody. What is compared then counts for them or against them by ``WEIGHTS``; what is not known
counts for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from data.base import secrets
from data.base.language import _
from spatial import spelling

#: From here on two records are shown to somebody.
LEAST = 0.45


class Reason(StrEnum):
    """What speaks for two records being one, or against it."""

    IDENTITY = "identity"
    NEAR_IDENTITY = "near_identity"
    OTHER_IDENTITY = "other_identity"
    NAME = "name"
    NAME_OTHERWISE = "name_otherwise"
    NEAR_NAME = "near_name"
    OTHER_NAME = "other_name"
    BORN = "born"
    OTHER_BORN = "other_born"
    PHONE = "phone"
    DWELLING = "dwelling"
    OTHER_DWELLING = "other_dwelling"
    OTHER_SEX = "other_sex"
    NUMBER = "number"


#: What each counts for residents. A household is compared by its head; see ``_OF_HOMES``.
WEIGHTS = {
    Reason.IDENTITY: 0.6,
    Reason.NEAR_IDENTITY: 0.25,
    Reason.OTHER_IDENTITY: -0.6,
    Reason.NAME: 0.3,
    Reason.NAME_OTHERWISE: 0.25,
    Reason.NEAR_NAME: 0.1,
    Reason.OTHER_NAME: -0.3,
    Reason.BORN: 0.3,
    Reason.OTHER_BORN: -0.3,
    Reason.PHONE: 0.2,
    Reason.DWELLING: 0.15,
    Reason.OTHER_SEX: -0.3,
}
_OF_HOMES = WEIGHTS | {
    Reason.NUMBER: 0.5,
    Reason.DWELLING: 0.3,
    Reason.OTHER_DWELLING: -0.2,
    Reason.PHONE: 0.25,
    Reason.BORN: 0.1,
    Reason.OTHER_BORN: -0.2,
}


def reason_names() -> dict[str, str]:
    """What speaks for it, and against it, in words."""
    return {
        Reason.IDENTITY: _("Same identity number"),
        Reason.NEAR_IDENTITY: _("Identity numbers differ in one or two characters"),
        Reason.OTHER_IDENTITY: _("Other identity number"),
        Reason.NAME: _("Same name"),
        Reason.NAME_OTHERWISE: _("Same name, written with other characters"),
        Reason.NEAR_NAME: _("Names differ in one character"),
        Reason.OTHER_NAME: _("Other name"),
        Reason.BORN: _("Born on the same day"),
        Reason.OTHER_BORN: _("Other birthday"),
        Reason.PHONE: _("Same phone"),
        Reason.DWELLING: _("Same dwelling"),
        Reason.OTHER_DWELLING: _("Other dwelling"),
        Reason.OTHER_SEX: _("Other sex"),
        Reason.NUMBER: _("Household numbers differ only in how they are written"),
    }


def degree(score: float) -> str:
    """How sure it is: ``sure``, ``likely`` or ``perhaps``.

    >>> degree(0.9), degree(0.7), degree(0.5)
    ('sure', 'likely', 'perhaps')
    """
    return "sure" if score >= 0.85 else "likely" if score >= 0.65 else "perhaps"


def degree_names() -> dict[str, str]:
    """How sure it is, in words."""
    return {"sure": _("Almost certainly one"), "likely": _("Probably one"), "perhaps": _("Perhaps one")}


@dataclass(frozen=True, kw_only=True)
class Traits:
    """By what a resident is compared, or a household by its head; ``None`` is not known.

    ``identity`` is the number itself, ``phone`` anything that is equal for equal phones, ``number`` a household's.
    """

    name: str | None = None
    born_on: date | None = None
    sex: str | None = None
    identity: str | None = None
    identity_blind: bytes | None = None
    phone: str | None = None
    dwelling_id: int | None = None
    number: str | None = None


def compare(a: Traits, b: Traits) -> tuple[float, list[Reason]]:
    """How alike two residents or households are, 0–1, and what speaks for and against it, the strongest first.

    >>> born_on = date(1970, 1, 2)
    >>> score, reasons = compare(Traits(name="張三", born_on=born_on), Traits(name="张三", born_on=born_on))
    >>> round(score, 2), [str(reason) for reason in reasons]
    (0.55, ['born', 'name_otherwise'])
    >>> compare(Traits(number="WT-04-0031"), Traits(number="wt4-31"))[0]
    0.5
    """
    weights = _OF_HOMES if a.number is not None else WEIGHTS
    reasons = [
        *_same(a.identity_blind, b.identity_blind, Reason.IDENTITY, _near_identity(a, b)),
        *_names(a.name, b.name),
        *_same(a.born_on, b.born_on, Reason.BORN, Reason.OTHER_BORN),
        *_same(a.sex, b.sex, None, Reason.OTHER_SEX),
        *_same(a.phone, b.phone, Reason.PHONE, None),
        *_same(
            a.dwelling_id,
            b.dwelling_id,
            Reason.DWELLING,
            Reason.OTHER_DWELLING if weights is _OF_HOMES else None,
        ),
    ]
    if a.number and b.number and not {*numbers(a.number)}.isdisjoint(numbers(b.number)):
        reasons.append(Reason.NUMBER)
    reasons.sort(key=lambda reason: -abs(weights[reason]))
    return min(max(sum(weights[reason] for reason in reasons), 0.0), 1.0), reasons


def _same(one: object, other: object, same: Reason | None, differs: Reason | None) -> list[Reason]:
    reason = None if one is None or other is None else same if one == other else differs
    return [] if reason is None else [reason]


def _near_identity(one: Traits, other: Traits) -> Reason:
    first, second = one.identity or "", other.identity or ""
    near = len(first) == len(second) and 0 < sum(a != b for a, b in zip(first, second, strict=True)) <= 2
    return Reason.NEAR_IDENTITY if near else Reason.OTHER_IDENTITY


def _names(one: str | None, other: str | None) -> list[Reason]:
    if not one or not other:
        return []
    if one == other:
        return [Reason.NAME]
    first, second = name_key(one), name_key(other)
    if first == second:
        return [Reason.NAME_OTHERWISE]
    near = len(first) == len(second) > 1 and sum(a != b for a, b in zip(first, second, strict=True)) == 1
    return [Reason.NEAR_NAME if near else Reason.OTHER_NAME]


def name_key(name: str) -> str:
    """A name without what differs from one hand to the next: traditional characters, spaces, dots, capitals.

    >>> name_key("劉 國棟") == name_key("刘国栋"), name_key("John  SMITH")
    (True, 'johnsmith')
    """
    return re.sub(r"[\s·.]", "", spelling.simplified(spelling.name(name))).lower()


def numbers(number: str) -> list[str]:
    """A household number without what differs from one hand to the next: signs between, capitals, zeros before.

    >>> numbers("WT-04-0031"), numbers("wt4-31")
    (['WT040031', 'WT/4/31'], ['WT431', 'WT/4/31'])
    """
    plain = spelling.key(number).upper()
    runs = re.findall(r"\d+|[^\W\d_]+", plain)
    return ["".join(runs), "/".join(run.lstrip("0") or "0" if run.isdecimal() else run for run in runs)]


def keys(record: Traits) -> set[int]:
    """The keys of a record: two of them share one if at least two facts, or the identity number, are the same."""
    name = name_key(record.name) if record.name else None
    facts: Iterable[tuple[object, ...]] = (
        ("identity", record.identity_blind.hex() if record.identity_blind else None),
        ("name born", name, record.born_on),
        ("name phone", name, record.phone),
        ("born phone", record.born_on, record.phone),
        ("name door", name, record.dwelling_id),
    )
    if record.number:
        facts = (
            *(fact for fact in facts if fact[0] in ("identity", "name phone", "name door")),
            *(("number", number) for number in numbers(record.number)),
        )
    return {_hashed(fact) for fact in facts if None not in fact}


def _hashed(fact: tuple[object, ...]) -> int:
    """A keyed hash of 63 bits that is never 0."""
    return int.from_bytes(secrets.blind("|".join(map(str, fact)))[:8]) >> 1 or 1
