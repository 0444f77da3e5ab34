"""Secrets: many are sealed at once as one by one, and looked up as a keyed hash says."""

from __future__ import annotations

import hashlib
import hmac

import pytest

from data.base import secrets


@pytest.fixture(autouse=True)
def _keys() -> None:
    secrets.make_keys()


def test_many_texts_are_encrypted_each_by_itself() -> None:
    sealed = secrets.encrypt_all(["13800006021", None, "13800006021", ""])
    assert sealed[1] is None
    texts = [value for value in sealed if value is not None]
    assert [secrets.decrypt(value) for value in texts] == ["13800006021", "13800006021", ""]
    assert len({value[:12] for value in texts}) == 3, "a nonce came twice"


def test_a_blind_index_is_the_keyed_hash_of_the_text_and_of_nothing_before_it() -> None:
    expected = hmac.new(secrets.keys().index, b"31010119490101241X", hashlib.sha256).digest()
    assert secrets.blind("31010119490101241x") == secrets.blind(" 310101 19490101 241X ") == expected
