"""Categories 事件类别: a tree of two levels that the community edits, with tiers, limits and questions."""

from __future__ import annotations

from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from data.base import access, changes, db, listing, reference
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _
from data.incidents.tables import Category, CategoryNotFound, Incident, Tier

#: The kinds of questions: a text, a number, yes or no, one of several choices.
QUESTION_KINDS = ("text", "number", "yes_no", "choice")


def categories(session: Session) -> list[Category]:
    """All categories, parents before children, in the order of the list."""
    return list(session.scalars(select(Category).order_by(Category.position, Category.code)))


def categories_offered(session: Session) -> list[Category]:
    """The categories that a new incident may be given: those not retired, nor below one that is."""
    rows = categories(session)
    gone = {row.code for row in rows if row.retired}
    return [row for row in rows if row.code not in gone and row.parent_code not in gone]


def used(session: Session, actor: Actor) -> dict[str, int]:
    """Category → how many incidents have it of those that the actor may see; those that none has are left out."""
    counted = select(Incident.category_code, func.count().label("cases")).group_by(Incident.category_code)
    return {row.category_code: row.cases for row in session.execute(access.visible(counted, actor, Incident))}


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
    if values.get("questions") is not None:
        values["questions"] = _with_answered(session, found, values["questions"])
    _check(session, code, values)
    for name, value in values.items():
        setattr(found, name, value)
    session.flush()
    return found


def remove_category(session: Session, actor: Actor, code: str) -> None:
    """Remove a category that no incident has and none lies below.

    Raises
    ------
    Conflict
        One has it, or lies below it: it can only be retired.
    """
    access.require_everywhere(actor, "unit.edit")
    session.delete(category(session, code))
    session.flush()


def asked(kind: Category) -> list[dict[str, Any]]:
    """The questions of a category that are asked today, each with the choices it has today.

    >>> old = {"code": "sound", "retired": True}
    >>> asked(Category(questions=[{"code": "kind", "choices": [old, {"code": "lit"}]}, {"code": "pole", **old}]))
    [{'code': 'kind', 'choices': [{'code': 'lit'}]}]
    """
    return [
        {**one, "choices": [choice for choice in one.get("choices") or () if not choice.get("retired")]}
        for one in kind.questions or ()
        if not one.get("retired")
    ]


def _with_answered(session: Session, kind: Category, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """``wanted``, and as retired what it leaves out of the questions and choices that cases have answers to.

    So an answer that was given can always be read.
    """
    named = {question["code"]: question for question in wanted}
    kept = [dict(question) for question in wanted]
    for old in kind.questions or ():
        new = named.get(old["code"])
        choices = {choice["code"] for choice in (new or {}).get("choices") or ()}
        gone = [choice for choice in old.get("choices") or () if choice["code"] not in choices]
        if new is not None and not gone:
            continue
        given = _given(session, kind, old["code"])
        if new is None and given:
            kept.append({**old, "retired": True})
        elif new is not None:
            place = next(question for question in kept if question["code"] == old["code"])
            answered = [{**choice, "retired": True} for choice in gone if choice["code"] in given]
            place["choices"] = [*(new.get("choices") or ()), *answered]
    return kept


def _given(session: Session, kind: Category, question: str) -> set[Any]:
    """The answers that cases of a category have given to a question, as text."""
    answer = Incident.answers[question].astext
    having = select(answer).where(Incident.category_code == kind.code, Incident.answers.has_key(question))
    return set(session.scalars(having.distinct()))


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
    known_ = {question["code"]: question for question in kind.questions or []}
    for code, answer in answers.items():
        if code not in known_:
            raise Invalid(_("The category asks no question “{code}”.", code=code), field="answers")
        if not _fits(known_[code], answer):
            raise Invalid(_("“{answer}” is no answer to “{code}”.", answer=answer, code=code), field="answers")
    missing = [question["code"] for question in asked(kind) if question.get("required")]
    missing = [code for code in missing if code not in answers]
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
    for question in values.get("questions") or ():
        if question["kind"] == "choice" and not question.get("choices"):
            raise Invalid(_("“{name}” is a choice, but has nothing to choose from.", name=question["name_zh"]))
    parent_code = values.get("parent_code")
    if parent_code is None:
        return
    parent = category(session, parent_code)
    has_children = session.scalar(select(Category.code).where(Category.parent_code == code).limit(1))
    if parent_code == code or parent.parent_code is not None or has_children:
        raise Invalid(_("A category lies below a main category, and a main category below none."), field="parent_code")
