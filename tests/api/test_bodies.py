"""What a request may bring with it: bytes, files, depth and time are looked at before anything is unfolded."""

from __future__ import annotations

import errno
import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from fastapi import FastAPI
from starlette.types import Message, Scope

from api.base import bodies
from api.base.errors import Refused
from api.base.request import LANGUAGE_COOKIE
from data import reports
from data.base import room, settings
from data.exchange import uploads
from tests.api.conftest import ClientFor, TestClient
from tests.api.walls import declared, walked
from tests.city import City
from tests.data import pictures


@pytest.fixture
def stranger(client: TestClient) -> TestClient:
    client.cookies.set(LANGUAGE_COOKIE, "en")
    return client


@pytest.mark.parametrize(
    "content", [b"[" * 100_000, b'{"a":' * 70 + b"1" + b"}" * 70, b'["' + b"[" * 99 + b'",' + b"[" * 70]
)
def test_json_that_is_nested_deeply_is_refused_by_its_marks(content: bytes) -> None:
    with pytest.raises(Refused, match="nested more than 64 deep"):
        bodies.check_json(content, bodies.MOST_VALUES)


def test_json_of_very_many_values_is_refused_by_its_marks() -> None:
    bodies.check_json(b"[" + b"{}," * (bodies.MOST_VALUES // 2 - 2) + b"{}]", bodies.MOST_VALUES)
    with pytest.raises(Refused, match="more than 600,000 values"):
        bodies.check_json(b"[" + b"{}," * bodies.MOST_VALUES + b"{}]", bodies.MOST_VALUES)


@pytest.mark.parametrize("text", ['[[[["\\\\"]]]]', json.dumps({"a": "[" * 500 + '"' + "{" * 500}), '"unended [[[['])
def test_marks_within_texts_are_no_structure(text: str) -> None:
    bodies.check_json(text.encode(), bodies.MOST_VALUES)


@pytest.mark.parametrize("path", ["/api/signin", "/api/incidents", "/signin", "/track", "/nowhere"])
def test_a_body_is_small_unless_the_route_says_otherwise(stranger: TestClient, path: str) -> None:
    kind = "application/json" if path.startswith("/api") else "application/x-www-form-urlencoded"
    answer = stranger.post(path, content=b"x" * (bodies.SMALL + 1), headers={"Content-Type": kind})
    assert answer.status_code == 413
    assert "At most 0.256 MB" in answer.text


def test_a_body_without_a_length_is_no_longer_than_one_with_it(stranger: TestClient) -> None:
    sent = 0

    def pieces() -> Iterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 1
            yield b"{}," * 20_000

    answer = stranger.post("/api/signin", content=pieces(), headers={"Content-Type": "application/json"})
    assert answer.status_code == 413


def test_a_small_body_has_few_values(stranger: TestClient) -> None:
    content = b"[" + b"{}," * bodies.SMALL_VALUES + b"{}]"
    answer = stranger.post("/api/signin", content=content, headers={"Content-Type": "application/json"})
    assert answer.status_code == 413
    assert "more than 20,000 values" in answer.text


def test_all_bodies_together_hold_no_more_than_there_is_room_for(
    stranger: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "HELD", 50_000)
    kind = {"Content-Type": "application/json"}
    assert stranger.post("/api/signin", content=b" " * 60_000, headers=kind).status_code == 503
    # It is counted as what it is once it is read, and given back in the end.
    assert stranger.post("/api/signin", content=b"[" + b"1," * 2000 + b"1]", headers=kind).status_code == 503
    for _number in range(3):
        assert stranger.post("/api/signin", content=b" " * 40_000, headers=kind).status_code == 422


def test_of_a_file_only_what_is_held_in_memory_counts() -> None:
    held = bodies.Held()
    with held.share(bodies.FILE_BYTES) as share:
        share.take(300_000_000)
        assert held.bytes == bodies.FILE_BYTES
        share.take(5_000_000)
        assert held.bytes == bodies.FILE_BYTES
    assert held.bytes == 0


@pytest.mark.parametrize("path", ["/signin", "/track", "/api/signin"])
def test_files_are_taken_only_where_a_page_needs_them(stranger: TestClient, path: str) -> None:
    answer = stranger.post(path, files={"a": ("a.bin", b"x" * 1000)})
    assert answer.status_code == 415
    assert "No files are taken here" in answer.text


def test_a_form_has_no_more_files_than_the_page_needs(stranger: TestClient, city: City) -> None:
    files = [("photo", (f"{number}.jpg", pictures.photo())) for number in range(reports.PHOTOS + 1)]
    answer = stranger.post("/r", data={"community": city.community.code}, files=files)
    assert answer.status_code == 422


@pytest.mark.parametrize("path", ["/api/imports", "/exchange/import", "/patrols/upload", "/api/patrols/1/notes"])
def test_a_stranger_is_sent_away_before_a_file_is_read(application: FastAPI, path: str) -> None:
    read = 0

    async def receive() -> Message:
        nonlocal read
        read += 1
        return {"type": "http.request", "body": b"x" * 1000, "more_body": True}

    async def send(message: Message) -> None:
        sent.append(message)

    sent: list[Message] = []
    scope: Scope = {
        "type": "http",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-type", b"multipart/form-data; boundary=x"), (b"host", b"testserver")],
        "app": application,
        "client": ("203.0.113.9", 1),
        "scheme": "http",
        "server": ("testserver", 80),
        "http_version": "1.1",
        "root_path": "",
    }
    TestClient.portal.call(application, scope, receive, send)
    assert sent[0]["status"] in (401, 303)
    assert read == 0


def test_who_may_not_import_is_sent_away_before_a_file_is_read(client_for: ClientFor, city: City) -> None:
    client = client_for("grid_leader", city.grids["A1"])
    answer = client.post(
        "/api/imports", content=b"not even a form", headers={"Content-Type": "multipart/form-data; boundary=x"}
    )
    assert answer.status_code == 403


def test_a_body_that_trickles_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    async def silent() -> Message:
        import asyncio

        await asyncio.Event().wait()
        raise AssertionError

    async def asked() -> None:
        from starlette.datastructures import Headers

        await bodies._Body(silent, 10, Headers(), bodies.Share(bodies.Held(), 10))()

    monkeypatch.setattr(bodies, "PATIENCE_S", 0.0)
    with pytest.raises(Refused, match="too slowly"):
        TestClient.portal.call(asked)


@pytest.mark.parametrize("address", ["/api/search?q=a%00b", "/r/%00", "/track/a%00"])
def test_an_address_with_a_nul_is_malformed(stranger: TestClient, address: str) -> None:
    assert stranger.get(address).status_code == 422


def test_addresses_and_headers_have_a_length(stranger: TestClient) -> None:
    assert stranger.get("/r?community=" + "x" * 20_000).status_code == 414
    assert stranger.get("/r", headers={"X-Long": "x" * 40_000}).status_code == 431


def test_no_file_is_taken_while_the_disk_has_no_room_to_spare(
    stranger: TestClient, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(room.shutil, "disk_usage", lambda _folder: _Usage(free=400_000_000))
    answer = stranger.post("/r/photos", data={"community": city.community.code}, files={"photo": pictures.photo()})
    assert answer.status_code == 507
    assert "400 MB are free, and 500 MB are kept" in answer.json()["detail"]


class _Usage:
    def __init__(self, free: int) -> None:
        self.free = free


def test_a_full_disk_is_a_sentence_wherever_it_is_met(
    client_for: ClientFor, city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: Any, **_more: Any) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    client = client_for()
    monkeypatch.setattr(uploads, "keep", full)
    answer = client.post(
        "/api/imports", data={"kind": "buildings", "community": city.community.code}, files={"file": io.BytesIO(b"a")}
    )
    assert answer.status_code == 507
    assert "disk of the server is full" in answer.json()["detail"]
    monkeypatch.setattr("starlette.formparsers.SpooledTemporaryFile", full)
    answer = client.post(
        "/api/imports", data={"kind": "buildings", "community": city.community.code}, files={"file": io.BytesIO(b"a")}
    )
    assert answer.status_code == 507


def test_strangers_do_not_send_more_photos_at_once_than_can_be_received() -> None:
    layer = bodies.Bodies(None, settings.get())  # type: ignore[arg-type]
    takes = bodies.ROUTES["POST", "/r/photos"]
    request = bodies.Request({"type": "http", "client": ("203.0.113.9", 1), "headers": []})
    layer.open["203.0.113.9"] = bodies.OPEN_FROM_AN_ADDRESS
    with pytest.raises(bodies.TooOften), layer._counted(request, takes):
        raise AssertionError
    layer.open["203.0.113.9"] = 0
    layer.open["elsewhere"] = bodies.OPEN_FROM_STRANGERS
    with pytest.raises(bodies.Busy), layer._counted(request, takes):
        raise AssertionError


def test_every_route_that_takes_more_is_there_and_needs_what_it_declares(application: FastAPI) -> None:
    routes = {(method, one.path): one for one in walked(application) for method in one.methods}
    for place, takes in bodies.ROUTES.items():
        assert place in routes, place
        assert takes.needs in declared(routes[place]), place


def test_every_route_that_reads_a_file_says_so(application: FastAPI) -> None:
    for one in walked(application):
        if any(type(field.field_info).__name__ == "File" for field in one.dependant.body_params):
            assert all(bodies.ROUTES[method, one.path].files for method in one.methods), one.path
