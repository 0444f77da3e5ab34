"""All grids there can be: the connected groups of cells whose households lie within bounds, each with its scores.

A grid (网格) is a set of cells, and a set of cells is a row of bits, so many thousand grids are one array. They are
found by growing: every connected set of k + 1 cells is one of k cells and a neighbour. Since all that are too heavy are
dropped at once, and what they would leave over must be divisible too, few remain: some 10,000 for 41 buildings.

Sources
-------
Garfinkel, R. S. and Nemhauser, G. L. (1970), Optimal political districting by implicit enumeration techniques,
Management Science 16(8), B495-B508 (districts as columns); Polsby, D. D. and Popper, R. D. (1991), The third criterion,
Yale Law & Policy Review 9(2), 301-353 (compactness).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from spatial.partition.ground import Ground

Bits = NDArray[np.uint64]
Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

MOST = 1_500_000
"""More sets than this are not looked at: they would take gigabytes."""
_WORD = 64


class TooMany(ValueError):
    """There are more connected groups of cells than can be looked at one by one."""


def polsby_popper(area_m2: Floats, perimeter_m: Floats) -> Floats:
    """The score of outlines by area and perimeter: 1 for a circle, less the longer the way around."""
    score: Floats = 4 * np.pi * area_m2 / np.maximum(perimeter_m, 1e-9) ** 2
    return score


@dataclass(frozen=True)
class Columns:
    """Grids that are possible on a ground.

    Attributes
    ----------
    member
        Which cells each consists of, shape (grids, cells).
    bits
        The same as bits, shape (grids, words of 64 cells).
    households, people, special
        How many there are in each, shape (grids,).
    area_m2, perimeter_m
        Of the outline of each.
    barrier_m
        Length of the barriers that run through it.
    """

    member: NDArray[np.bool_]
    bits: Bits
    households: Integers
    people: Integers
    special: Integers
    area_m2: Floats
    perimeter_m: Floats
    barrier_m: Floats

    def __len__(self) -> int:
        return len(self.bits)

    @property
    def compactness(self) -> Floats:
        """Polsby-Popper score of the outlines: 1 for a circle."""
        return polsby_popper(self.area_m2, self.perimeter_m)

    def taken(self, positions: NDArray[np.int64] | NDArray[np.bool_]) -> Columns:
        """Some of them."""
        return Columns(*(getattr(self, name)[positions] for name in self.__dataclass_fields__))


def all_of(ground: Ground, least: int, most: int, counts: Sequence[int] | None = None) -> Columns:
    """Find every grid that there can be.

    Parameters
    ----------
    ground
        The cells.
    least, most
        Bounds of the households of a grid, both allowed.
    counts
        How many grids there may be in all; a grid is left out if what it leaves over could not be divided into one
        fewer. ``None`` does not look at that.

    Raises
    ------
    TooMany
        There are more than ``MOST`` sets to look at.
    """
    table = _Neighbours(ground)
    level, weight = table.singles(), ground.households.astype(np.int64)
    keep = weight <= most
    level, weight = level[keep], weight[keep]
    good: list[Bits] = []
    seen = 0
    while len(level):
        seen += len(level)
        if seen > MOST:
            raise TooMany(f"more than {MOST} connected groups of cells")
        good.append(level[weight >= least])
        level, weight = _grown(level, weight, table, ground.households, most)
    bits = np.concatenate(good) if good else np.empty((0, table.words), dtype=np.uint64)
    if counts is not None and len(bits):
        bits = bits[_leaves_divisible(bits, table, ground, least, most, counts)]
    return described(ground, bits)


def described(ground: Ground, bits: Bits) -> Columns:
    """Grids with their scores, from their bits (shape (grids, words))."""
    member = _unpacked(bits, len(ground))
    numbers = member.astype(np.float64)
    first, second = ground.edges.T
    inside = member[:, first] & member[:, second]
    return Columns(
        member,
        bits,
        np.rint(numbers @ ground.households).astype(np.int64),
        np.rint(numbers @ ground.people).astype(np.int64),
        np.rint(numbers @ ground.special).astype(np.int64),
        numbers @ ground.area_m2,
        numbers @ ground.perimeter_m - 2 * (inside @ ground.shared_m),
        inside @ ground.barrier_m,
    )


def packed(member: NDArray[np.bool_]) -> Bits:
    """Sets as bits, from shape (sets, cells) to (sets, words)."""
    sets, cells = member.shape
    words = -(-cells // _WORD)
    padded = np.zeros((sets, words * _WORD), dtype=bool)
    padded[:, :cells] = member
    return np.packbits(padded, axis=1, bitorder="little").view("<u8").astype(np.uint64)


def _unpacked(bits: Bits, cells: int) -> NDArray[np.bool_]:
    octets = np.ascontiguousarray(bits.astype("<u8")).view(np.uint8)
    return np.unpackbits(octets, axis=1, bitorder="little", count=cells).astype(bool)


class _Neighbours:
    """The neighbours of sets of cells, looked up eight cells at a time."""

    def __init__(self, ground: Ground) -> None:
        cells = len(ground)
        self.words = -(-cells // _WORD)
        beside = np.zeros((cells, cells), dtype=bool)
        first, second = ground.edges.T
        beside[first, second] = beside[second, first] = True
        rows = packed(beside)
        self._table = np.zeros((-(-cells // 8), 256, self.words), dtype=np.uint64)
        for cell in range(cells):
            octet, bit = divmod(cell, 8)
            with_it = np.flatnonzero(np.arange(256) >> bit & 1)
            self._table[octet, with_it] |= rows[cell]
        self.cells = cells

    def singles(self) -> Bits:
        """Each cell as a set."""
        return packed(np.eye(self.cells, dtype=bool))

    def of(self, bits: Bits) -> Bits:
        """What lies beside each set, and what of it lies beside another of its cells."""
        octets = np.ascontiguousarray(bits.astype("<u8")).view(np.uint8)
        beside: Bits = self._table[0, octets[:, 0]].copy()
        for octet in range(1, len(self._table)):
            beside |= self._table[octet, octets[:, octet]]
        return beside


def _grown(level: Bits, weight: Integers, table: _Neighbours, households: Integers, most: int) -> tuple[Bits, Integers]:
    """Every set with one neighbour more that is not too heavy, each once."""
    free = table.of(level) & ~level
    sets: list[Bits] = []
    weights: list[Integers] = []
    for cell in range(table.cells):
        word, bit = divmod(cell, _WORD)
        mark = np.uint64(1 << bit)
        fits = ((free[:, word] & mark) != 0) & (weight + households[cell] <= most)
        grown = level[fits]
        grown[:, word] |= mark
        sets.append(grown)
        weights.append(weight[fits] + households[cell])
    every, weigh = np.concatenate(sets), np.concatenate(weights)
    once = _firsts(every)
    return every[once], weigh[once]


def _firsts(bits: Bits) -> Integers:
    """Positions of the first of each among equal rows."""
    if bits.shape[1] == 1:
        return np.unique(bits[:, 0], return_index=True)[1]
    order = np.lexsort(bits.T)
    ordered = bits[order]
    new = np.ones(len(bits), dtype=bool)
    new[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    return order[new]


def _leaves_divisible(
    bits: Bits, table: _Neighbours, ground: Ground, least: int, most: int, counts: Sequence[int]
) -> NDArray[np.bool_]:
    """Whether each part of what a grid leaves over can be some whole number of grids, and all as many as remain.

    It is necessary, not sufficient; that is what makes it cheap.
    """
    whole = packed(np.ones((1, len(ground)), dtype=bool))
    rest = whole & ~bits
    fewest, greatest = np.zeros(len(bits), dtype=np.int64), np.zeros(len(bits), dtype=np.int64)
    good = np.ones(len(bits), dtype=bool)
    left = np.flatnonzero(rest.any(axis=1))
    while len(left):
        remaining = rest[left]
        part = _lowest(remaining)
        while True:
            more = (part | table.of(part)) & remaining
            if (more == part).all():
                break
            part = more
        weigh = _unpacked(part, len(ground)).astype(np.float64) @ ground.households
        low = np.ceil(weigh / most).astype(np.int64) if most else np.full(len(part), 1)
        high = np.floor(weigh / least).astype(np.int64) if least else np.full(len(part), len(ground))
        low = np.maximum(low, 1)
        good[left] &= low <= high
        fewest[left] += low
        greatest[left] += high
        rest[left] = remaining & ~part
        left = left[good[left] & rest[left].any(axis=1)]
    return good & (fewest <= max(counts) - 1) & (greatest >= min(counts) - 1)


def _lowest(bits: Bits) -> Bits:
    """The lowest cell of each set, alone."""
    lowest = np.zeros_like(bits)
    empty = np.ones(len(bits), dtype=bool)
    for word in range(bits.shape[1]):
        here = bits[:, word] & (~bits[:, word] + np.uint64(1))
        lowest[:, word] = np.where(empty, here, 0)
        empty &= bits[:, word] == 0
    return lowest
