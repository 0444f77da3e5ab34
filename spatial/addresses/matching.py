"""Addresses matched with buildings and dwellings (地址匹配): many against many, with a score, never a silent guess.

How sure a match is, by what agrees:

====== ===========================================================================================
score  what the address says against the record
====== ===========================================================================================
1      the text is the record's address, name or number letter by letter
0.95   all numbers agree, and so does a street or place name
0.9    all numbers agree, the address names no street or place (「3号楼2单元501」)
0.85   all numbers agree, but the record has no name, or not every number, to compare with
0.75   all numbers agree, but the record names only its street and the address only a place, or the reverse
< 0.95 all numbers agree, the names are similar: 0.95 × similarity
× 0.95 the house is one of several on the record (12 of ``10-14``)
≤ 0.9  something follows the address that was not understood
====== ===========================================================================================

Similarity is one less the edits per letter (Levenshtein), and nothing at all where numbers, points of the compass or
the like differ: 5th and 6th Avenue, 人民东路 and 人民西路 differ in one letter and are two streets.
"""

from __future__ import annotations

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np
from rapidfuzz import process
from rapidfuzz.distance import Levenshtein

from spatial import spelling
from spatial.addresses.parsing import Address, before_door, label, parse

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Method", "Outcome", "match"]

_LEAST = 0.5
"""Below it a candidate is not worth a person's look."""
_FEW = 50
_TEXT, _NAMED, _NUMBERS, _UNKNOWN, _OTHER, _ONE_OF_SEVERAL, _WITH_REST = 1.0, 0.95, 0.9, 0.85, 0.75, 0.95, 0.9

Scored = tuple[tuple[int, float], ...]


class Outcome(StrEnum):
    """What :func:`match` found: one building, several equally good, none good enough, none at all."""

    MATCHED = "matched"
    AMBIGUOUS = "ambiguous"
    BELOW = "below"
    NONE = "none"


class Method(StrEnum):
    """How the best candidate was found: letter by letter, by its parts, by a similar name."""

    EXACT = "exact"
    NORMALIZED = "normalized"
    SIMILAR = "similar"


@dataclass(frozen=True, slots=True)
class _Site:
    """What tells one building from another."""

    street: str | None
    place: str | None
    site: str | None
    """Lane (``12弄``) or house number: what the street is divided into."""
    building: str | None


_NOWHERE = _Site(None, None, None, None)


@dataclass
class _Candidate:
    """A building as :func:`match` compares it."""

    streets: set[str] = field(default_factory=set)
    places: set[str] = field(default_factory=set)
    sites: dict[str, float] = field(default_factory=dict)
    labels: dict[str, float] = field(default_factory=dict)


def match(
    addresses: Sequence[str | None],
    buildings: pd.DataFrame,
    dwellings: pd.DataFrame | None = None,
    *,
    threshold: float = 0.8,
    lead: float = 0.05,
    best: int = 5,
) -> pd.DataFrame:
    """Find the building, and the dwelling in it, that each address means.

    Parameters
    ----------
    addresses
        Texts as people write them; None and blank ones match nothing.
    buildings
        Columns ``number`` (3, 3号楼, A座), ``name`` (锦绣家园3号楼) and ``address`` (锦绣路12弄3号, 123 Main
        Street), each of text or missing.
    dwellings
        Columns ``building`` (position in ``buildings``), ``unit`` and ``room``. Of buildings that are equally good,
        only those are kept that have the dwelling the address states.
    threshold
        Least score of a match.
    lead
        By how much the best candidate must lead the second.
    best
        How many candidates are kept.

    Returns
    -------
    pandas.DataFrame
        One row for each address, in their order: ``outcome`` (:class:`Outcome`), ``building`` (position; -1 unless
        matched), ``dwelling`` (position in ``dwellings``; -1 unless exactly one fits), ``score`` (of the best
        candidate, 0 where there is none; see the table above), ``method`` (:class:`Method` or None), ``candidates``
        (tuple of (position, score), best first, from 0.5 up), ``unit``, ``floor``, ``room``, ``city``, ``district``
        (as stated, or None), and ``rest``: what of the address was not understood.

    Raises
    ------
    KeyError
        A column is missing.

    Examples
    --------
    >>> import pandas as pd
    >>> buildings = pd.DataFrame({"number": ["3", "4"], "name": [None, None], "address": ["锦绣路12弄3号", None]})
    >>> found = match(["锦绣路１２弄3号501室", "4-2-501", "9号楼"], buildings)
    >>> found["outcome"].map(str).tolist(), found["building"].tolist(), found["score"].tolist()
    (['matched', 'matched', 'none'], [0, 1, -1], [0.95, 0.9, 0.0])
    """
    import pandas as pd

    register = _Register(buildings)
    homes = _homes(dwellings)
    texts = _texts(addresses)
    reader = _Reader(register)
    rows = {text: _row(*reader.read(text), homes, threshold, lead, best) for text in dict.fromkeys(texts)}
    columns = [
        "outcome",
        "building",
        "dwelling",
        "score",
        "method",
        "candidates",
        "unit",
        "floor",
        "room",
        "city",
        "district",
        "rest",
    ]
    cells = zip(*(rows[text] for text in texts), strict=True) if texts else ((),) * len(columns)
    data = {
        name: pd.Series(values, dtype=_DTYPES.get(name, object)) for name, values in zip(columns, cells, strict=True)
    }
    return pd.DataFrame(data, columns=columns)


_DTYPES = {"building": np.int64, "dwelling": np.int64, "score": np.float64}
_Homes = dict[tuple[int, str | None, str], list[int]]


class _Reader:
    """Reads addresses and finds their buildings: the doors of one storey together, others one by one."""

    def __init__(self, register: _Register) -> None:
        self._register = register
        # Where a record's own text ends with a door, a door may be that record letter by letter.
        self._together = not any(before_door(text) for text in register.by_text)
        self._storeys: dict[tuple[str, bool], _Read | None] = {}

    def read(self, text: str) -> tuple[Address, str | None, Scored, Method]:
        """What an address says (of one of its storey), its room, and the candidates for its building."""
        parts = before_door(text) if self._together else None
        if parts is not None:
            before, door = parts
            key = (before, len(door) > 2)
            if key not in self._storeys:
                self._storeys[key] = self._read_storey(before, door[2:])
            if (storey := self._storeys[key]) is not None:
                return storey.address, f"{storey.floor}{door[:2]}", storey.candidates, storey.method
        address = parse(text)
        return address, address.room, *self._register.find(address)

    def _read_storey(self, before: str, mark: str) -> _Read | None:
        """What the doors of a storey share; None where the number at their end is not the room."""
        address = parse(f"{before}01{mark}")
        floor = before[-2:] if before[-2:].isdecimal() else before[-1:]
        if address.room != f"{floor}01":
            return None
        return _Read(address, floor, *self._register.find(address))


@dataclass(frozen=True, slots=True)
class _Read:
    """The address of one door of a storey, the digits of the storey, and the candidates for the building."""

    address: Address
    floor: str
    candidates: Scored
    method: Method


def _row(
    address: Address,
    room: str | None,
    candidates: Scored,
    method: Method,
    homes: _Homes,
    threshold: float,
    lead: float,
    best: int,
) -> tuple[object, ...]:
    parts = (address.unit, address.floor, room, address.city, address.district, address.rest)
    if not candidates:
        return (Outcome.NONE, -1, -1, 0.0, None, candidates, *parts)
    if len(candidates) > 1 and room is not None:
        tied = [pair for pair in candidates if candidates[0][1] - pair[1] < lead]
        home = [pair for pair in tied if _dwellings(homes, pair[0], address.unit, room)]
        if len(home) == 1:
            candidates = (*home, *(pair for pair in candidates if pair not in tied))
    score = candidates[0][1]
    if score < threshold:
        outcome = Outcome.BELOW
    elif len(candidates) > 1 and score - candidates[1][1] < lead:
        outcome = Outcome.AMBIGUOUS
    else:
        outcome = Outcome.MATCHED
    building = candidates[0][0] if outcome == Outcome.MATCHED else -1
    fitting = _dwellings(homes, building, address.unit, room) if building >= 0 else []
    dwelling = fitting[0] if len(fitting) == 1 else -1
    return (outcome, building, dwelling, score, method, candidates[:best], *parts)


def _homes(dwellings: pd.DataFrame | None) -> _Homes:
    """Index dwellings by building, unit and room, and by building and room alone."""
    homes: _Homes = defaultdict(list)
    if dwellings is not None:
        rows = zip(dwellings["building"], _texts(dwellings["unit"]), _texts(dwellings["room"]), strict=True)
        for at, (building, unit, room) in enumerate(rows):
            homes[int(building), label(unit), label(room)].append(at)
            homes[int(building), None, label(room)].append(at)
    return homes


def _dwellings(homes: _Homes, building: int, unit: str | None, room: str | None) -> list[int]:
    if room is None:
        return []
    found = homes.get((building, unit, room), [])
    # Where the records have no units, one that is stated cannot be compared.
    return found or (homes.get((building, "", room), []) if unit else [])


@dataclass
class _Block:
    """The candidates that share a number; by their names without the kind, and under "" those without a name."""

    members: list[int] = field(default_factory=list)
    streets: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))
    places: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, at: int, candidate: _Candidate) -> None:
        self.members.append(at)
        for names, known in ((candidate.streets, self.streets), (candidate.places, self.places)):
            for name in names or {""}:
                known[_core(name)].append(at)

    def alike(self, site: _Site) -> Iterable[int]:
        """Those of the members that may reach a score worth a look, so that few are compared in full."""
        stated = [(name, known) for name, known in ((site.street, self.streets), (site.place, self.places)) if name]
        if not stated or len(self.members) < _FEW:
            return self.members
        close: set[int] = set()
        for name, known in stated:
            alike = process.extract(
                _core(name), known.keys(), scorer=Levenshtein.normalized_similarity, score_cutoff=_LEAST, limit=None
            )
            close.update(at for other, *_ in alike for at in known[other])
        return sorted(close.union(set.intersection(*(set(known.get("", ())) for _, known in stated))))


class _Register:
    """Buildings, indexed so that an address is compared only with those that have its numbers."""

    def __init__(self, buildings: pd.DataFrame) -> None:
        numbers, names, texts = (_texts(buildings[column]) for column in ("number", "name", "address"))
        self.candidates = [_candidate(*row) for row in zip(numbers, names, texts, strict=True)]
        self.by_text: dict[str, list[int]] = defaultdict(list)
        self.by_name: dict[tuple[str, str | None, str | None], list[int]] = defaultdict(list)
        self.blocks: dict[tuple[str, str], _Block] = defaultdict(_Block)
        self.found: dict[tuple[_Site, float], tuple[Scored, Method]] = {}
        for at, candidate in enumerate(self.candidates):
            for text in {_plain(text) for text in (numbers[at], names[at], texts[at])} - {""}:
                self.by_text[text].append(at)
            keys = [("site", site) for site in candidate.sites] + [("building", own) for own in candidate.labels]
            for key in keys or [("", "")]:
                self.blocks[key].add(at, candidate)
            for name in candidate.streets | candidate.places:
                for site in (*candidate.sites, None):
                    for building in (*candidate.labels, None):
                        self.by_name[name, site, building].append(at)

    def find(self, address: Address) -> tuple[Scored, Method]:
        """All candidates worth a look, best first; at equal scores as they come."""
        if exact := self.by_text.get(_plain(address.text)):
            return tuple((at, _TEXT) for at in exact), Method.EXACT
        key = (_site(address), _WITH_REST if address.rest else 1.0)
        if key not in self.found:
            self.found[key] = self._find(*key)
        return self.found[key]

    def _find(self, site: _Site, most: float) -> tuple[Scored, Method]:
        names = [name for name in (site.street, site.place) if name]
        same = dict.fromkeys(at for name in names for at in self.by_name.get((name, site.site, site.building), ()))
        scored = self._scored(site, same, most)
        # One whose name agrees leads every other, so only without one are similar names worth the time.
        if not scored or scored[0][1] < _NAMED * _ONE_OF_SEVERAL * most:
            scored = self._scored(site, self._same_numbers(site), most)
        names_agree = bool(scored) and _name_score(site, self.candidates[scored[0][0]]) in (
            _NAMED,
            _NUMBERS,
            _UNKNOWN,
            _OTHER,
        )
        return scored, Method.NORMALIZED if names_agree else Method.SIMILAR

    def _same_numbers(self, site: _Site) -> Iterable[int]:
        if site.building is not None:
            key = ("building", site.building)
        elif site.site is not None:
            key = ("site", site.site)
        else:
            key = ("", "")
        if key not in self.blocks or site == _NOWHERE:
            return ()
        return self.blocks[key].alike(site)

    def _scored(self, site: _Site, found: Iterable[int], most: float) -> Scored:
        scores = ((at, min(_score(site, self.candidates[at]), most)) for at in found)
        worth = [(at, round(score, 4)) for at, score in scores if score >= _LEAST]
        return tuple(sorted(worth, key=lambda pair: -pair[1]))


def _score(address: _Site, candidate: _Candidate) -> float:
    several = 1.0
    unknown = False
    for stated, known in ((address.building, candidate.labels), (address.site, candidate.sites)):
        if stated is None:
            continue
        if not known:
            unknown = True
        elif stated not in known:
            return 0.0
        else:
            several = min(several, known[stated])
    names = _name_score(address, candidate)
    return several * (min(names, _UNKNOWN) if unknown else names)


def _name_score(address: _Site, candidate: _Candidate) -> float:
    stated = [(address.street, candidate.streets), (address.place, candidate.places)]
    if not any(name for name, _ in stated):
        return _NUMBERS
    compared = [max(_similarity(name, other) for other in known) for name, known in stated if name and known]
    if compared:
        return _NAMED * min(compared)
    return _OTHER if candidate.streets or candidate.places else _UNKNOWN


# ── What is compared ────────────────────────────────────────────────────────────────────────────────────────────


def _site(address: Address) -> _Site:
    """Say what tells a building from another: in a lane, or without a street, the 号 is the building."""
    lane, house, building = address.lane, address.house_number, address.building
    site = f"{lane}弄" if lane else house
    if house and building is None and (lane or not address.street):
        site, building = (f"{lane}弄" if lane else None), house
    elif house and lane:
        site = f"{lane}弄{house}"
    return _Site(address.street, address.place, site, building)


def _candidate(number: str, name: str, text: str) -> _Candidate:
    candidate = _Candidate()
    for site in [_site(parse(part)) for part in (text, name) if part.strip()]:
        candidate.streets.update(filter(None, [site.street]))
        candidate.places.update(filter(None, [site.place]))
        candidate.sites |= _alternatives(site.site)
        candidate.labels |= _alternatives(site.building)
    own = label(number)
    # A number that only repeats the house on the street tells no building apart: 123, 123 Main Street.
    if own and own not in candidate.sites:
        candidate.labels = _alternatives(own) | candidate.labels
    return candidate


def _alternatives(number: str | None) -> dict[str, float]:
    """A number as written, and each of the houses it stands for: 10-14 for 10, 12 and 14, 4-7 for 4, 5, 6 and 7."""
    if number is None:
        return {}
    several = {part: _ONE_OF_SEVERAL for part in re.findall(r"\d+[A-Z]?", number) if ";" in number}
    if (span := re.fullmatch(r"(\d{1,6})-(\d{1,6})", number)) is not None:
        first, last = int(span[1]), int(span[2])
        if 0 < last - first <= 50:
            step = 1 if (last - first) % 2 else 2
            several = {str(part): _ONE_OF_SEVERAL for part in range(first, last + 1, step)}
    return several | {number: 1.0}


@lru_cache(maxsize=262144)
def _similarity(one: str, other: str) -> float:
    """Compare two names of the same kind, 0 to 1."""
    if one == other:
        return 1.0
    if _telling(one) != _telling(other):
        return 0.0
    core, other_core = _core(one), _core(other)
    alike = Levenshtein.normalized_similarity(core, other_core)
    kind, other_kind = one[len(core) :], other[len(other_core) :]
    if kind != other_kind:
        alike *= 0.7 if kind and other_kind else 0.9
    return alike


_TELLING = re.compile(
    r"\d+|[东西南北中前后上下左右内外一二三四五六七八九十甲乙丙丁]|\b(?:NORTH|SOUTH|EAST|WEST|[A-Z])\b"
)
_KIND = re.compile(
    r" (?:STREET|AVENUE|BOULEVARD|ROAD|DRIVE|PLACE|PLAZA|LANE|COURT|SQUARE|TERRACE|PARKWAY|HIGHWAY|ALLEY|SLIP)$"
)


@lru_cache(maxsize=65536)
def _telling(name: str) -> tuple[str, ...]:
    return tuple(sorted(_TELLING.findall(name)))


def _core(name: str) -> str:
    return _KIND.sub("", name)


def _plain(text: str) -> str:
    text = spelling.simplified(spelling.visible(text))
    return re.sub(r"\s+", " ", unicodedata.normalize("NFKC", text)).strip().upper()


def _texts(column: Iterable[Any]) -> list[str]:
    import pandas as pd

    return ["" if pd.isna(value) else str(value) for value in column]
