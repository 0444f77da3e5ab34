"""How long a text may be, in every table: a line has 200 characters, a note 4,000.

Revision: 0015
Follows: 0014
"""

from __future__ import annotations

from collections.abc import Iterator

from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

_LINES = {
    "account": "username name password_hash language",
    "api_token": "name",
    "asset": "kind number name",
    "audit": "action record_kind request_id",
    "basemap": "kind",
    "building": "code number name address kind located_by unlocated_reason",
    "calendar_day": "name",
    "category": "code parent_code name_zh name_en icon tier external_code",
    "coverage_day": "kind",
    "coverage_item": "kind",
    "coverage_pass": "kind",
    "coverage_rule": "kind rhythm",
    "dwelling": "unit room use",
    "grant": "role_code",
    "guide": "name phone",
    "hotspot_cell": "heat pattern",
    "hotspot_run": "name state fingerprint version",
    "household": "number hukou address located_by unlocated_reason",
    "household_group": "group_code",
    "incident": "number category_code step tier level address source located_by unlocated_reason",
    "incident_step": "action step tier level",
    "job": "kind language state step",
    "key_mark": "fingerprint",
    "notice_rule": "kind role_code scope",
    "notification": "kind",
    "outgoing": "channel kind state",
    "patrol": "source name",
    "patrol_point": "reason",
    "permission": "code name_zh name_en",
    "photo": "sha256",
    "place_code": "kind code",
    "reminder": "threshold",
    "reminder_rule": "kind tier",
    "report_attempt": "kind",
    "resident": "name former_name sex identity_kind relation ethnicity native_place marital_status political_status education occupation workplace registered_address status inflow_reason permit_kind",
    "role": "code name_zh name_en",
    "role_permission": "role_code permission_code",
    "round": "name rhythm",
    "service_team": "name",
    "special_group": "code name_zh name_en",
    "street_segment": "kind",
    "team_member": "post name phone",
    "template": "code name_zh name_en action",
    "tenancy": "landlord_name",
    "unit": "level code name phone metric_crs",
    "upload": "name sha256",
    "view_link": "view",
    "webhook": "name form",
}
_NOTES = (
    ("audit", "purpose", 4_000),
    ("basemap", "code", 4_000),
    ("basemap", "name", 4_000),
    ("check_in", "note", 4_000),
    ("guide", "organisation", 4_000),
    ("household", "note", 4_000),
    ("incident", "description", 4_000),
    ("incident_step", "note", 4_000),
    ("job", "detail", 100_000),
    ("notification", "occasion", 4_000),
    ("outgoing", "key", 4_000),
    ("outgoing", "detail", 4_000),
    ("resident", "note", 4_000),
    ("service_team", "service", 4_000),
    ("street_segment", "code", 4_000),
    ("street_segment", "name", 4_000),
    ("team_member", "background", 4_000),
    ("template", "text", 4_000),
    ("tenancy", "purpose", 4_000),
    ("tenancy", "hazard", 4_000),
    ("tenancy", "note", 4_000),
)


def upgrade() -> None:
    """Move the database one step on. Texts that are there stay as they are, however long they are."""
    for table, column, most in _limits():
        name = f"ck_{table}_{column}_length"
        op.execute(f'ALTER TABLE "{table}" ADD CONSTRAINT "{name}" CHECK (char_length("{column}") <= {most}) NOT VALID')
        op.execute(
            f'DO $$ BEGIN IF NOT EXISTS (SELECT FROM "{table}" WHERE char_length("{column}") > {most}) THEN '
            f'ALTER TABLE "{table}" VALIDATE CONSTRAINT "{name}"; END IF; END $$'
        )


def downgrade() -> None:
    """Move the database one step back."""
    for table, column, _most in _limits():
        op.execute(f'ALTER TABLE "{table}" DROP CONSTRAINT "ck_{table}_{column}_length"')


def _limits() -> Iterator[tuple[str, str, int]]:
    for table, columns in _LINES.items():
        yield from ((table, column, 200) for column in columns.split())
    yield from _NOTES
