"""What several tests of the records begin with."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy.orm import Session

from tests.data.offices import Place


@pytest.fixture
def base(session: Session, cases: Path) -> Place:
    """Two grids, twelve buildings, 锦绣路12弄1…12号."""
    return Place.make(session, cases)
