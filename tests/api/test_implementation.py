"""Implementation reports over HTTP, on pages and as a file of the command line."""

from __future__ import annotations

import io
from typing import Any

import docx
import pytest

from data import implementation
from data.base import access
from tests.api.conftest import ClientFor
from tests.city import City

DAYS = {"first_on": "2026-01-01", "last_on": "2026-03-31"}


def text_of(content: bytes) -> str:
    """What a document says, tables included."""
    document: Any = docx.Document(io.BytesIO(content))
    return "".join(node.text or "" for node in document.element.body.iter() if node.tag.endswith("}t"))


def test_a_report_is_drafted_edited_and_taken_away_as_a_document(city: City, client_for: ClientFor) -> None:
    office = client_for("community_staff", city.community)
    made = office.post("/api/implementation", json=DAYS | {"community_id": city.community.id})
    assert made.status_code == 201, made.text
    address = made.headers["Location"]
    count = made.json()["figures"]["households"]
    assert count == len(office.get("/api/households").json()["items"])
    assert (
        office.post(
            "/api/implementation", json={**DAYS, "last_on": "2025-01-01", "community_id": city.community.id}
        ).status_code
        == 422
    )
    changed = office.patch(address, json={"problems": "1.人手不足。"})
    assert changed.json()["problems"] == "1.人手不足。"
    file = office.get(f"{address}/docx")
    assert file.headers["Content-Type"].endswith("wordprocessingml.document")
    document: Any = docx.Document(io.BytesIO(file.content))
    said = text_of(file.content)
    assert document.core_properties.title == "梧桐里社区网格化管理组团式服务实施情况报告"
    assert "（2026年1月1日至3月31日）" in said
    assert said.index("一、定人、定岗、定责") < said.index("二、建立信息平台") < said.index("五、存在问题1.人手不足。")
    assert [cell.text for cell in document.tables[0].rows[-1].cells] == [
        "合计",
        "9",
        str(count),
        str(made.json()["figures"]["people"]),
    ]
    assert len(document.inline_shapes) == 1
    assert office.post(f"{address}/renew").json()["problems"] != "1.人手不足。"
    assert [report["id"] for report in office.get("/api/implementation").json()] == [made.json()["id"]]
    leader = client_for("grid_leader", city.grids["A1"])
    assert leader.get("/api/implementation").json() == []
    assert leader.get(f"{address}/docx").status_code == 404
    assert office.delete(address).status_code == 204


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_pages_draft_keep_refuse_and_hand_out(city: City, client_for: ClientFor, language: str) -> None:
    office = client_for("community_staff", city.community)
    office.headers["Accept"] = "text/html"
    office.cookies.set("wangge_language", language)
    assert {"zh": "还没有报告", "en": "There is no report yet"}[language] in office.get("/implementation").text
    refused = office.post("/implementation", data=DAYS | {"last_on": ""})
    assert refused.status_code == 422
    made = office.post("/implementation", data=DAYS, follow_redirects=False)
    assert made.status_code == 303
    address = made.headers["location"]
    (report,) = implementation.listed(city.session, access.SYSTEM)
    assert "共分9个网格" in office.get(address).text
    texts = {part.value: getattr(report, part) for part in implementation.Part}
    assert office.post(address, data=texts | {"closing": "长" * 4001}).status_code == 422
    assert office.post(address, data=texts | {"closing": "到此为止。"}, follow_redirects=False).status_code == 303
    city.session.refresh(report)
    assert report.closing == "到此为止。"
    assert "到此为止。" in text_of(office.get(f"{address}/report.docx").content)
    assert office.get("/implementation").text.count(address) == 1
    reader = client_for("supervisor", city.street)
    shown = reader.get(address, headers={"Accept": "text/html"}).text
    assert "到此为止。" in shown
    assert "textarea" not in shown
    assert office.post(f"{address}/renew", follow_redirects=False).status_code == 303
    assert office.post(f"{address}/remove", follow_redirects=False).status_code == 303
    assert implementation.listed(city.session, access.SYSTEM) == []
