"""Settings: every one is a ``WANGGE_…`` environment variable, listed with its meaning here and nowhere else.

``docs/settings.md`` is generated from this object (``script/docs``), and a test holds the two together.
"""

from __future__ import annotations

import os
import sys
from datetime import date, datetime, time, timedelta
from functools import cache
from ipaddress import ip_network
from pathlib import Path
from zoneinfo import ZoneInfo

from pydantic import Field, field_validator
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
    user: str = Field(
        "wangge",
        pattern="^[a-z_][a-z0-9_-]{0,31}$",
        description="The user that web application and worker run as when root starts them; made when missing.",
    )
    database_url: str | None = Field(
        None,
        description="A PostGIS server to use instead of the private cluster: postgresql://user:password@host:port/name.",
    )
    request_database_url: str | None = Field(
        None,
        description="How requests log in to the server of WANGGE_DATABASE_URL: a role that is a member of wangge_app "
        "and of nothing else. Not set: as its owner, who then changes to wangge_app in each transaction.",
    )
    demo_password: str | None = Field(
        None, description="The password of the demo accounts; random, and printed once, when not set."
    )
    language: str = Field("zh", pattern="^(zh|en)$", description="The language when nobody has chosen one: zh or en.")
    timezone: str = Field("Asia/Shanghai", description="The time zone of days (visits, due dates, reports).")
    secure_cookies: bool = Field(
        False, description="Send the session cookie over HTTPS only. Switch on behind an HTTPS proxy."
    )
    trusted_proxies: str = Field(
        "",
        description="The addresses or networks of proxies before the server, with commas, such as 127.0.0.1: only they "
        "are believed when they say for whom they ask (X-Forwarded-For). Empty: none.",
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
    read_memory_mb: int = Field(
        1000,
        ge=100,
        description="The most memory that reading a file may take, in MB; a file that needs more is refused.",
    )
    read_seconds: int = Field(
        300, ge=1, description="Seconds after which reading a file is ended; what takes longer is refused."
    )
    photo_max_mb: int = Field(15, ge=1, le=100, description="The largest photo that may be sent, in MB.")
    spare_disk_mb: int = Field(
        500, ge=0, description="Free space that is kept for the records, in MB: with less, no files are taken in."
    )
    public_url: str = Field(
        "",
        pattern="^(https?://[^/ ]+)?$",
        description="The address under which people without an account reach the server, such as "
        "https://wangge.example; in QR codes and shared links. Empty: the address that the one who makes them uses, "
        "if it is one of this machine.",
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

    @field_validator("trusted_proxies")
    @classmethod
    def _are_networks(cls, value: str) -> str:
        for one in filter(None, value.replace(" ", "").split(",")):
            ip_network(one, strict=False)
        return value.replace(" ", "")

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


def end_of(day: date) -> datetime:
    """The end of a day in the community's time zone."""
    return datetime.combine(day + timedelta(days=1), time(), ZoneInfo(get().timezone))


def today() -> date:
    """The day it is in the community's time zone."""
    return datetime.now(ZoneInfo(get().timezone)).date()
