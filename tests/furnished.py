"""Homes as a first start leaves them, with the demo community: made once, and copied by every test that needs one.

What is kept lies in the temporary folder under a name that changes with the program, the day and the user.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

from data.base.cluster import Cluster

ROOT = Path(__file__).resolve().parent.parent
#: Of every account of the demo community there.
PASSWORD = "open sesame, please"
_PREFIX = f"wangge-furnished-{os.getuid()}-"
_OLD_S = 86_400.0


def furnish(home: Path) -> None:
    """Give a folder that is not there yet, or empty, what a first start gives it.

    Parameters
    ----------
    home
        What ``WANGGE_HOME`` will be; its parents must let the postgres user in.
    """
    kept = Path(tempfile.gettempdir()) / f"{_PREFIX}{_mark()}"
    with Path(f"{kept}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if kept.exists() and kept.stat().st_uid != os.getuid():
            raise PermissionError(f"{kept} belongs to somebody else")
        if not kept.exists():
            _forget_old(kept)
            draft = Path(tempfile.mkdtemp(prefix="wangge-"))
            draft.chmod(0o755)
            _first_start(draft)
            draft.rename(kept)
    copy(kept, home, (kept / "made at").read_text())
    (home / "made at").unlink()


def copy(made: Path, home: Path, was: str = "") -> None:
    """Copy the home of a stopped installation, which was made at ``was`` if not where it lies."""
    home.mkdir(parents=True, exist_ok=True)
    home.chmod(0o755)
    subprocess.run(["cp", "-a", f"{made}/.", home], check=True)
    configuration = home / "pg" / "postgresql.conf"
    configuration.write_text(configuration.read_text().replace(was or str(made), str(home)))


def _mark() -> str:
    """What the result depends on."""
    sums = hashlib.sha256(f"{datetime.now(UTC):%F} {sys.version}".encode())
    for folder in ("data", "spatial", "api"):
        for path in sorted((ROOT / folder).rglob("*.*")):
            if path.suffix in (".py", ".csv", ".po"):
                sums.update(f"{path.relative_to(ROOT)}".encode() + path.read_bytes())
    return sums.hexdigest()[:16]


def _forget_old(kept: Path) -> None:
    for path in kept.parent.glob(f"{_PREFIX}*"):
        if path.stat().st_uid == os.getuid() and time.time() - path.stat().st_mtime > _OLD_S:
            shutil.rmtree(path, ignore_errors=True) if path.is_dir() else path.unlink(missing_ok=True)


def _first_start(home: Path) -> None:
    own = {name: value for name, value in os.environ.items() if not name.startswith("WANGGE_")}
    environment = own | {"WANGGE_HOME": str(home), "WANGGE_DEMO_PASSWORD": PASSWORD}
    done = subprocess.run(
        [sys.executable, "-m", "api.cli", "demo"], env=environment, cwd=ROOT, capture_output=True, check=False
    )
    Cluster(home).stop()
    if done.returncode != 0:
        shutil.rmtree(home, ignore_errors=True)
        raise RuntimeError(done.stderr.decode()[-3000:])
    (home / "made at").write_text(str(home))
