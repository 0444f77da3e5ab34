"""A small city that can be checked by hand: nine grids of 100 m in three rows, a building in the middle of each.

``City.make`` puts one into a session. The south-west corner lies at 120° E, 30° N; grid ``A1`` is the south-west one,
columns are letters to the east, rows are numbers to the north. Every maker takes what differs and fills in the rest.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

import shapely
from pyproj import Transformer
from shapely import Polygon, box
from sqlalchemy.dialects.postgresql import Range
from sqlalchemy.orm import Session

from data import accounts, buildings, grids, households, incidents, traces, units
from data.base import access
from data.base.access import Actor

CRS = "EPSG:4549"
_to_metric = Transformer.from_crs(4326, CRS, always_xy=True).transform
_to_degrees = Transformer.from_crs(CRS, 4326, always_xy=True).transform
ORIGIN = _to_metric(120.0, 30.0)


def rectangle(x: float, y: float, width: float, height: float) -> Polygon:
    """A rectangle in EPSG:4326, given in metres from the city's south-west corner."""
    flat = box(ORIGIN[0] + x, ORIGIN[1] + y, ORIGIN[0] + x + width, ORIGIN[1] + y + height)
    return shapely.transform(flat, _to_degrees, interleaved=False)


def degrees(x: float, y: float) -> tuple[float, float]:
    """Longitude and latitude of a place in metres from the south-west corner."""
    lon, lat = _to_degrees(ORIGIN[0] + x, ORIGIN[1] + y)
    return lon, lat


@dataclass
class City:
    """What ``make`` made."""

    session: Session
    district: units.Unit
    street: units.Unit
    community: units.Unit
    grids: dict[str, units.Unit] = field(default_factory=dict)
    buildings: dict[str, buildings.Building] = field(default_factory=dict)
    #: How many metres farther east it lies than the usual one.
    east: float = 0

    @classmethod
    def make(
        cls, session: Session, code: str = "310101001001", *, beside: City | None = None, name: str = "梧桐里社区"
    ) -> City:
        """A community of 3 × 3 grids with a building of 40 × 20 m in each; valid since 2020.

        With ``beside`` it is one of the same street, right to the east of that one.
        """
        system = access.SYSTEM
        if beside:
            district, street = beside.district, beside.street
        else:
            district = units.add(session, system, level=units.Level.DISTRICT, code=code[:6], name="江城区")
            street = units.add(
                session, system, level=units.Level.STREET, code=code[:9], name="临江街道", parent=district
            )
        community = units.add(
            session, system, level=units.Level.COMMUNITY, code=code, name=name, parent=street, metric_crs=CRS
        )
        east = beside.east + 300 if beside else 0
        city = cls(session, district, street, community, east=east)
        shapes = {}
        for place in range(9):
            column, row = place % 3, place // 3
            name = f"{'ABC'[column]}{row + 1}"
            grid = units.add(
                session, system, level=units.Level.GRID, code=f"{code}{place + 1:03d}", name=name, parent=community
            )
            city.grids[name] = grid
            shapes[grid.id] = rectangle(east + column * 100, row * 100, 100, 100)
        grids.divide(session, system, community, shapes, valid_from=date(2020, 1, 1))
        for place, name in enumerate(city.grids):
            column, row = place % 3, place // 3
            city.buildings[name] = buildings.add(
                session,
                system,
                community=community,
                code=str(place + 1),
                number=str(place + 1),
                address=f"锦绣路12弄{place + 1}号楼",
                geom=rectangle(east + column * 100 + 30, row * 100 + 40, 40, 20),
            )
        return city

    def household(self, grid: str = "A1", **values: Any) -> households.Household:
        """A household with a head in a dwelling of its own, in the building of ``grid``."""
        room = values.pop("room", "101")
        dwelling = buildings.add_dwelling(
            self.session, access.SYSTEM, self.buildings[grid], unit="1", floor=1, room=room
        )
        number = values.pop("number", f"WT-{grid}-{room}")
        household = households.add(self.session, access.SYSTEM, dwelling=dwelling, number=number, **values)
        head = self.resident(household, name="李小明")
        household.head_id = head.id
        self.session.flush()
        return household

    def resident(self, household: households.Household, **values: Any) -> households.Resident:
        """A member of ``household``."""
        values = {"name": "王芳", "sex": "2", "born_on": date(1970, 1, 2), **values}
        return households.add_resident(self.session, access.SYSTEM, household, **values)

    def incident(self, x: float = 50, y: float = 50, **values: Any) -> incidents.Incident:
        """An incident at a place in metres from the south-west corner; ``state`` stands for a step of that state."""
        lon, lat = degrees(self.east + x, y)
        values = {
            "category_code": "facility.corridor_light",
            "description": "二层廊灯不亮",
            "reported_at": datetime(2026, 3, 17, 1, 0, tzinfo=UTC),
            **values,
        }
        if state := values.pop("state", None):
            values["step"] = incidents.STEP_OF[incidents.State(state)]
        return incidents.report(self.session, access.SYSTEM, community=self.community, lon=lon, lat=lat, **values)

    def order(self, day: date) -> traces.TraceOrder:
        """An order of traces for the days around one, so that others see what is walked."""
        made = traces.TraceOrder(
            community_id=self.community.id,
            valid=Range(day - timedelta(days=5), day + timedelta(days=5)),
            reason="强降雨，逐楼排查",
        )
        self.session.add(made)
        self.session.flush()
        return made

    def account(self, role: str, unit: units.Unit | None, username: str | None = None) -> accounts.Account:
        """An account with one role at ``unit`` (everywhere without one); its password is ``correct horse``."""
        place = unit.code if unit else "everywhere"
        account = accounts.add(
            self.session, access.SYSTEM, username=username or f"{role}.{place}", name=role, password="correct horse"
        )
        accounts.give(self.session, access.SYSTEM, account=account, role_code=role, unit=unit)
        return account

    def actor(self, role: str, unit: units.Unit | None) -> Actor:
        """Somebody with one role at ``unit``, or everywhere."""
        return accounts.actor(self.session, self.account(role, unit))
