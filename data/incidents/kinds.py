"""Categories 事件类别: a tree of two levels that the community edits, with tiers, limits and questions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from data.base import access, changes, db, listing, reference
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.incidents.tables import Category, CategoryNotFound, Tier

#: The kinds of questions: a text, a number, yes or no, one of several choices.
QUESTION_KINDS = ("text", "number", "yes_no", "choice")


def categories(session: Session) -> list[Category]:
    """All categories, parents before children, in the order of the list."""
    return list(session.scalars(select(Category).order_by(Category.position, Category.code)))


def category(session: Session, code: str) -> Category:
    """The category with this code.

    Raises
    ------
    CategoryNotFound
    """
    found = session.get(Category, code)
    if found is None:
        raise CategoryNotFound(_("There is no category “{code}”.", code=code))
    return found


def known(session: Session, code: str) -> Category:
    """The category with this code, to be read only: it is kept in memory until a category changes.

    Raises
    ------
    CategoryNotFound
    """
    return _known.get(session, code, lambda: _apart(category(session, code)))


_known = changes.Kept[Category](Category)


def _apart(kind: Category) -> Category:
    """A category as it is, without the session that it is from."""
    return Category(**{column.key: getattr(kind, column.key) for column in listing.columns(Category)})


def add_category(session: Session, actor: Actor, *, code: str, **values: Any) -> Category:
    """A new category."""
    access.require_everywhere(actor, "unit.edit")
    _check(session, code, values)
    found = Category(code=code, **values)
    db.insert(session, found)
    return found


def change_category(session: Session, actor: Actor, code: str, **values: Any) -> Category:
    """Change fields of a category."""
    access.require_everywhere(actor, "unit.edit")
    found = category(session, code)
    _check(session, code, values)
    for name, value in values.items():
        setattr(found, name, value)
    session.flush()
    return found


def remove_category(session: Session, actor: Actor, code: str) -> None:
    """Remove a category that no incident has and none lies below."""
    access.require_everywhere(actor, "unit.edit")
    session.delete(category(session, code))
    session.flush()


def limit_days(kind: Category, tier: str | None) -> int | None:
    """Working days that an incident of a kind and tier is given; ``None``: no limit.

    >>> kind = Category(code="facility.road", tier="community", days=15, limits={"street": 30})
    >>> limit_days(kind, "street"), limit_days(kind, "grid"), limit_days(kind, None)
    (30, 15, 15)
    """
    return (kind.limits or {}).get(tier or kind.tier or Tier.GRID, kind.days)


def those_that_come_with() -> list[dict[str, Any]]:
    """The categories that a new installation begins with, as values of their columns.

    They are ``categories.csv``, with a limit for each tier in columns of their own, and ``questions.csv``.
    """
    questions: dict[str, list[dict[str, Any]]] = {}
    for row in reference.rows("questions"):
        question: dict[str, Any] = {name: row[name] for name in ("code", "name_zh", "name_en", "kind")}
        question["required"] = row["required"] == "yes"
        names = [choice.split("/") for choice in row["choices"].split(";") if choice]
        question["choices"] = [dict(zip(("code", "name_zh", "name_en"), name, strict=True)) for name in names]
        questions.setdefault(row["category_code"], []).append(question)
    rows = []
    for place, row in enumerate(reference.rows("categories")):
        limits = {tier.value: row.pop(f"days_{tier}") for tier in Tier}
        rows.append(
            {
                **{name: cell or None for name, cell in row.items()},
                **{name: int(row[name]) if row[name] else None for name in ("days", "recurrence_days")},
                **{name: row[name] == "yes" for name in ("placed", "reportable", "personal")},
                "limits": {tier: int(days) for tier, days in limits.items() if days},
                "questions": questions.get(row["code"], []),
                "position": place,
            }
        )
    return rows


def check_answers(kind: Category, answers: dict[str, Any]) -> dict[str, Any]:
    """``answers`` to the questions of a category, if each fits its question.

    Raises
    ------
    Invalid
        A question that needs one has no answer, an answer is of another kind, or nobody asked.
    """
    asked = {question["code"]: question for question in kind.questions or []}
    for code, answer in answers.items():
        if code not in asked:
            raise Invalid(_("The category asks no question “{code}”.", code=code), field="answers")
        if not _fits(asked[code], answer):
            raise Invalid(_("“{answer}” is no answer to “{code}”.", answer=answer, code=code), field="answers")
    missing = [code for code, question in asked.items() if question.get("required") and code not in answers]
    if missing:
        raise Invalid(_("Please answer: {codes}.", codes=", ".join(missing)), field="answers", missing=missing)
    return answers


def _fits(question: dict[str, Any], answer: Any) -> bool:
    kind = question["kind"]
    if kind == "yes_no":
        return isinstance(answer, bool)
    if kind == "number":
        return isinstance(answer, int | float) and not isinstance(answer, bool)
    if kind == "choice":
        return answer in {choice["code"] for choice in question["choices"]}
    return isinstance(answer, str) and len(answer) <= 500


def _check(session: Session, code: str, values: dict[str, Any]) -> None:
    """Raise unless a category has known tiers, and lies in a tree of two levels: a parent has no parent of its own."""
    tiers = set(Tier)
    if values.get("tier") not in {None, *tiers} or not tiers.issuperset(values.get("limits") or ()):
        raise Invalid(_("A tier is one of {tiers}.", tiers=", ".join(Tier)), field="tier")
    codes = [question["code"] for question in values.get("questions") or ()]
    if len(set(codes)) < len(codes):
        raise Invalid(_("Two questions have the same code."), field="questions")
    parent_code = values.get("parent_code")
    if parent_code is None:
        return
    parent = category(session, parent_code)
    has_children = session.scalar(select(Category.code).where(Category.parent_code == code).limit(1))
    if parent_code == code or parent.parent_code is not None or has_children:
        raise Invalid(_("A category lies below a main category, and a main category below none."), field="parent_code")
