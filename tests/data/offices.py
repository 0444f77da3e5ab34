"""The communities of the inputs of real offices (``WANGGE_CASES``), and the imports into them."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import text
from sqlalchemy.orm import Session

from data import units
from data.base import access
from data.base.errors import Invalid
from data.exchange import importing
from data.exchange.importing import Report

Doors = dict[str, tuple[str | None, str | None, str | None]]
NOWHERE = (None, None, None)


@dataclass
class Place:
    """A community of the cases, and the imports into it."""

    session: Session
    cases: Path
    community: units.Unit
    reports: list[Report] = field(default_factory=list)

    @classmethod
    def make(cls, session: Session, cases: Path, base: str = "00-base") -> Place:
        system = access.SYSTEM
        district = units.add(session, system, level=units.Level.DISTRICT, code="310101", name="江城区")
        street = units.add(
            session, system, level=units.Level.STREET, code="310101001", name="临江街道", parent=district
        )
        community = units.add(
            session,
            system,
            level=units.Level.COMMUNITY,
            code="310101001001",
            name="梧桐里社区",
            parent=street,
            metric_crs="EPSG:4549",
        )
        place = cls(session, cases, community)
        place.bring("grids", "00-base/grids.geojson")
        place.bring("buildings", f"{base}/buildings.geojson")
        return place

    def bring(self, kind: str, path: str | Path, **options: Any) -> Report:
        report = importing.run(self.session, access.SYSTEM, kind, self.cases / path, self.community, **options)
        self.reports.append(report)
        return report

    def refused(self, kind: str, path: str | Path, **options: Any) -> tuple[str, dict[int, str]]:
        """The sentence that refuses a file, and those of its rows."""
        with pytest.raises(Invalid) as caught:
            self.bring(kind, path, **options)
        return caught.value.detail, {one.row: one.reason for one in getattr(caught.value, "rejects", ())}

    @property
    def doors(self) -> Doors:
        """Building, unit and room of each household by its number."""
        rows = self.session.execute(
            text(
                "SELECT h.number, b.code, d.unit, d.room FROM household h LEFT JOIN dwelling d ON d.id = h.dwelling_id "
                "LEFT JOIN building b ON b.id = d.building_id WHERE h.community_id = :id"
            ),
            {"id": self.community.id},
        )
        return {row.number: (row.code, row.unit, row.room) for row in rows}

    def people(self, *columns: str) -> dict[str, list[Any]]:
        """Some columns of the residents of each household."""
        rows = self.session.execute(
            text(
                f"SELECT h.number, {', '.join(f'r.{name}' for name in columns)} FROM resident r "
                "JOIN household h ON h.id = r.household_id WHERE h.community_id = :id ORDER BY r.id"
            ),
            {"id": self.community.id},
        )
        found: dict[str, list[Any]] = {}
        for number, *values in rows:
            found.setdefault(number, []).append(values[0] if len(values) == 1 else tuple(values))
        return found

    @property
    def incidents(self) -> dict[str, Any]:
        """The time (in Shanghai), point and building of each incident by its number."""
        rows = self.session.execute(
            text(
                "SELECT i.number, to_char(i.reported_at AT TIME ZONE 'Asia/Shanghai', 'YYYY-MM-DD HH24:MI') AS at, "
                "round(ST_X(i.geom)::numeric, 6)::float AS lon, round(ST_Y(i.geom)::numeric, 6)::float AS lat, b.code, "
                "g.name AS grid FROM incident i LEFT JOIN building b ON b.id = i.building_id "
                "LEFT JOIN unit g ON g.id = i.grid_id WHERE i.community_id = :id"
            ),
            {"id": self.community.id},
        )
        return {row.number: row for row in rows}


def counted(report: Report) -> tuple[int, int, int]:
    """New, updated and unchanged."""
    return report.new, report.updated, report.unchanged


def said(report: Report) -> str:
    """All notes of an import."""
    return "\n".join(report.notes)
