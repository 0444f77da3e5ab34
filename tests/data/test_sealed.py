"""Sealed files keep their content from whoever has the disk, and notice whatever was done to them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from data.base import scratch, sealed, secrets, settings
from data.base.sealed import CHUNK_BYTES, MAGIC, Unreadable

SEALED_CHUNK = CHUNK_BYTES + 16
HEAD = len(MAGIC) + 16
CONTENT = ("姓名,身份证号\n李小明,310101194910012417\n" * 8000).encode()


@pytest.fixture(autouse=True)
def _keys(new_home: Path) -> None:
    """Keys to seal with."""
    secrets.make_keys()


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A sealed file of several chunks."""
    path = tmp_path / "folder" / "sealed"
    sealed.write(path, [CONTENT])
    return path


def content(path: Path) -> bytes:
    """What a file holds."""
    return b"".join(sealed.read(path))


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES])
@pytest.mark.parametrize("piece", [7919, 1 << 20])
def test_content_of_any_length_comes_back_as_it_was(tmp_path: Path, size: int, piece: int) -> None:
    given = os.urandom(size)
    sealed.write(tmp_path / "sealed", (given[at : at + piece] for at in range(0, size, piece)))
    assert content(tmp_path / "sealed") == given
    assert sealed.is_sealed(tmp_path / "sealed")


def test_a_sealed_file_shows_nothing_and_only_its_owner_may_read_it(file: Path) -> None:
    raw = file.read_bytes()
    assert b"310101194910012417" not in raw
    assert "李小明".encode() not in raw
    assert file.stat().st_mode & 0o077 == 0
    again = file.with_name("again")
    sealed.write(again, [CONTENT])
    assert again.read_bytes()[HEAD:] != raw[HEAD:], "the same content is never sealed alike twice"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda raw: raw[:-1], id="a byte cut off"),
        pytest.param(lambda raw: raw[: HEAD + 2 * SEALED_CHUNK], id="cut off between two chunks"),
        pytest.param(lambda raw: raw[:HEAD], id="nothing but its head"),
        pytest.param(lambda raw: raw[:20], id="half of its head"),
        pytest.param(lambda raw: raw + b"\0", id="a byte added"),
        pytest.param(lambda raw: raw + raw[HEAD : HEAD + SEALED_CHUNK], id="a chunk added"),
        pytest.param(
            lambda raw: (
                raw[:HEAD]
                + raw[HEAD + SEALED_CHUNK : HEAD + 2 * SEALED_CHUNK]
                + raw[HEAD : HEAD + SEALED_CHUNK]
                + raw[HEAD + 2 * SEALED_CHUNK :]
            ),
            id="two chunks exchanged",
        ),
        pytest.param(lambda raw: raw[:HEAD] + raw[HEAD + SEALED_CHUNK :], id="the first chunk left out"),
        pytest.param(lambda raw: raw[: HEAD + 5] + bytes([raw[HEAD + 5] ^ 1]) + raw[HEAD + 6 :], id="a bit turned"),
        pytest.param(lambda raw: raw[: HEAD - 1] + bytes([raw[HEAD - 1] ^ 1]) + raw[HEAD:], id="another salt"),
    ],
)
def test_whatever_is_done_to_a_sealed_file_is_noticed(file: Path, change: object) -> None:
    assert len(file.read_bytes()) > HEAD + 3 * SEALED_CHUNK
    file.write_bytes(change(file.read_bytes()))  # type: ignore[operator]
    with pytest.raises(Unreadable, match="cannot be decrypted"):
        content(file)


def test_a_file_from_before_files_were_sealed_is_read_and_sealed_in_its_place(tmp_path: Path) -> None:
    path = tmp_path / "plain"
    path.write_bytes(CONTENT)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    assert content(path) == CONTENT

    assert sealed.seal_in_place(path)
    assert content(path) == CONTENT
    assert b"310101194910012417" not in path.read_bytes()
    assert path.stat().st_mtime == 1_700_000_000, "how long it is kept does not change"
    assert not sealed.seal_in_place(path)


def test_what_goes_wrong_while_a_file_is_written_leaves_nothing(tmp_path: Path) -> None:
    def pieces() -> Iterator[bytes]:
        yield b"half"
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        sealed.write(tmp_path / "folder" / "sealed", pieces())
    assert list((tmp_path / "folder").iterdir()) == []


WORKER = """
import time
from data.base import scratch
with scratch.folder() as folder:
    (folder / "台账.csv").write_text("李小明,310101194910012417")
    print(folder, flush=True)
    time.sleep(60)
"""


def test_a_scratch_folder_goes_with_whoever_works_in_it_however_they_end() -> None:
    kept: list[Path] = []

    def work() -> None:
        with scratch.folder() as mine:
            kept.append(mine)
            (mine / "file").write_text("clear")
            assert mine.stat().st_mode & 0o077 == 0
            assert scratch.sweep() == 0, "it is in use"
            assert mine.exists()
            raise RuntimeError

    with pytest.raises(RuntimeError):
        work()
    assert not kept[0].exists()

    environment = {**os.environ, "WANGGE_HOME": str(settings.get().home)}
    worker = subprocess.Popen([sys.executable, "-c", WORKER], stdout=subprocess.PIPE, text=True, env=environment)
    assert worker.stdout is not None
    theirs = Path(worker.stdout.readline().strip())
    assert scratch.sweep() == 0, "it is in use by another process"
    assert theirs.exists()
    worker.send_signal(signal.SIGKILL)
    worker.wait()
    worker.stdout.close()
    assert scratch.sweep() == 1
    assert not theirs.exists()
