"""Settings: every one is a ``WANGGE_…`` environment variable, listed with its meaning here and nowhere else.

``docs/settings.md`` is generated from this object (``script/docs``), and a test holds the two together.
"""

from __future__ import annotations

import os
import sys
from datetime import date, datetime
from functools import cache
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


def _default_home() -> Path:
    """Where everything is kept: a folder the ``postgres`` user can reach when we run as root."""
    if sys.platform != "win32" and os.geteuid() == 0:
        return Path("/var/lib/wangge")
    return Path.home() / ".local/share/wangge"


class Settings(BaseSettings):
    """What can be set from outside, with the defaults of a single machine."""

    model_config = SettingsConfigDict(env_prefix="WANGGE_", frozen=True)

    home: Path = Field(
        default_factory=_default_home,
        description="The folder that holds everything: database cluster, key file, uploads, logs.",
    )
    host: str = Field("127.0.0.1", description="The address the web application listens on.")
    port: int = Field(8000, ge=1, le=65535, description="The port the web application listens on.")
    database_url: str | None = Field(
        None,
        description="A PostGIS server to use instead of the private cluster: postgresql://user:password@host:port/name.",
    )
    demo_password: str | None = Field(
        None, description="The password of the demo accounts; random, and printed once, when not set."
    )
    language: str = Field("zh", pattern="^(zh|en)$", description="The language when nobody has chosen one: zh or en.")
    timezone: str = Field("Asia/Shanghai", description="The time zone of days (visits, due dates, reports).")
    secure_cookies: bool = Field(
        False, description="Send the session cookie over HTTPS only. Switch on behind an HTTPS proxy."
    )
    session_hours: int = Field(12, ge=1, le=720, description="Hours after which a sign-in ends when unused.")
    basemap: str = Field(
        "own",
        description="The base map: own (imported roads and land use), none, tianditu, osm, "
        "or an XYZ address such as https://tiles.example/{z}/{x}/{y}.png.",
    )
    basemap_attribution: str = Field("", description="The source line of an XYZ base map.")
    tianditu_key: str | None = Field(None, description="The key for 天地图, needed for the base map tianditu.")
    upload_max_mb: int = Field(512, ge=1, description="The largest file that may be uploaded, in MB.")
    photo_max_mb: int = Field(15, ge=1, le=100, description="The largest photo that may be sent, in MB.")
    public_url: str = Field(
        "",
        pattern="^(https?://[^/ ]+)?$",
        description="The address under which residents reach the server, such as https://wangge.example; printed in QR "
        "codes. Empty: the address that the one who prints them uses.",
    )
    upload_days: int = Field(
        30,
        ge=0,
        description="Days after which uploaded files and the rows sent back are removed, from the end of their import; "
        "0 keeps them for ever.",
    )
    smtp_host: str | None = Field(None, description="The mail server for notifications; not set: no e-mail.")
    smtp_port: int = Field(587, ge=1, le=65535, description="The port of the mail server.")
    smtp_security: str = Field(
        "starttls",
        pattern="^(none|starttls|tls)$",
        description="The mail server is spoken to by none, starttls or tls.",
    )
    smtp_user: str | None = Field(None, description="The user name at the mail server, if it asks for one.")
    smtp_password: str | None = Field(None, description="The password at the mail server.", repr=False)
    smtp_from: str | None = Field(
        None,
        description="The sender of notifications; wangge@ the mail server when not set.",
    )
    webhook_hosts: str = Field(
        "qyapi.weixin.qq.com,oapi.dingtalk.com",
        description="The hosts of group robots, with commas; one reached without HTTPS has http:// before it.",
    )
    tile_cache_mb: int = Field(256, ge=0, description="Memory for drawn vector tiles, in MB; 0 keeps none.")
    hands: int | None = Field(
        None,
        ge=0,
        le=64,
        description="Processes for short changes that come in crowds; one for each core when not set, and with 0 they "
        "are done in the web application's own process.",
    )
    log_level: str = Field("info", description="How much is logged: debug, info, warning or error.")

    def hands_at_work(self) -> int:
        """How many processes there are for short changes."""
        return (os.cpu_count() or 1) if self.hands is None else self.hands

    @property
    def key_file(self) -> Path:
        """The keys for encrypted fields. Without this file the encrypted fields cannot be read."""
        return self.home / "keys.json"

    @property
    def uploads(self) -> Path:
        """Uploaded files, by the SHA-256 of their content."""
        return self.home / "uploads"

    @property
    def logs(self) -> Path:
        """Log files of the private cluster and the web application."""
        return self.home / "logs"


@cache
def get() -> Settings:
    """The settings of this process, read once."""
    return Settings()


def today() -> date:
    """The day it is in the community's time zone."""
    return datetime.now(ZoneInfo(get().timezone)).date()
