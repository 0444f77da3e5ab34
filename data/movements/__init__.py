"""Movements 人口变动: who was born, died, moved in, moved out, moved within the community, married or parted.

An event is recorded once, by the person's page or at the door; what follows is done with it. Whoever dies or moves out
lives here no more from that day on: no list and no number of today has them, the household goes on with a new head, and
one of which all have left is closed. Nothing is deleted: ``Resident.here`` and ``Household.lived`` tell of any day, and
an event that was recorded by mistake is undone.

- ``tables`` what is remembered; ``words`` the words of its closed lists
- ``recording`` what an event brings about, and how it is undone
- ``finding`` lists, and counts by grid and period
"""

from data.movements.finding import SORTS, Count, Filter, counts, get, population, row, selection, total
from data.movements.recording import NotAgain, Person, record, undo
from data.movements.tables import AWAY, Kind, Movement, MovementNotFound, Reach
from data.movements.words import kind_names, reach_names

__all__ = [
    "AWAY",
    "SORTS",
    "Count",
    "Filter",
    "Kind",
    "Movement",
    "MovementNotFound",
    "NotAgain",
    "Person",
    "Reach",
    "counts",
    "get",
    "kind_names",
    "population",
    "reach_names",
    "record",
    "row",
    "selection",
    "total",
    "undo",
]
