"""Response templates 回复模板: what is often answered, as rows that the community edits."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.base import access, db
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.incidents.tables import Action, Template, TemplateNotFound
from data.incidents.workflow import EXPLAINED


def templates(session: Session, action: str | None = None) -> list[Template]:
    """All templates, or those for an action, in the order of the list."""
    query = select(Template).order_by(Template.position, Template.code)
    return list(session.scalars(query.where(Template.action == action) if action else query))


def template(session: Session, code: str) -> Template:
    """The template with this code.

    Raises
    ------
    TemplateNotFound
    """
    found = session.get(Template, code)
    if found is None:
        raise TemplateNotFound(_("There is no response template “{code}”.", code=code))
    return found


def add_template(session: Session, actor: Actor, *, code: str, **values: Any) -> Template:
    """A new template."""
    access.require_everywhere(actor, "unit.edit")
    found = Template(code=code, **_checked(values))
    db.insert(session, found)
    return found


def change_template(session: Session, actor: Actor, code: str, **values: Any) -> Template:
    """Change fields of a template."""
    access.require_everywhere(actor, "unit.edit")
    found = template(session, code)
    for name, value in _checked(values).items():
        setattr(found, name, value)
    session.flush()
    return found


def remove_template(session: Session, actor: Actor, code: str) -> None:
    """Remove a template."""
    access.require_everywhere(actor, "unit.edit")
    session.delete(template(session, code))
    session.flush()


def filled(text: str, values: Mapping[str, Any]) -> str:
    """A template's text with ``{number}``, ``{category}`` … filled in; a name that ``values`` lacks stays as it is.

    >>> filled("您反映的{category}（{number}）已处理，{thanks}", {"category": "楼道灯不亮", "number": "20260317-006"})
    '您反映的楼道灯不亮（20260317-006）已处理，{thanks}'
    """
    for name, value in values.items():
        text = text.replace(f"{{{name}}}", "" if value is None else str(value))
    return text


def offered() -> list[Action]:
    """The actions that templates are offered for, in the order of the list of actions."""
    return [action for action in Action if action in EXPLAINED or action is Action.RESOLVE]


def _checked(values: dict[str, Any]) -> dict[str, Any]:
    if "action" in values and values["action"] not in offered():
        raise Invalid(
            _("A template is for one of these: {actions}.", actions=", ".join(sorted(offered()))), field="action"
        )
    return values
