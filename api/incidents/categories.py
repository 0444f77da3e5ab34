"""Categories of incidents, with their limits and questions, and response templates over HTTP."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, status
from pydantic import Field

from api.base import listing
from api.base.deps import Session, SignedIn, permission
from api.base.fields import Change, Code, CodePath, Input, Line, Output, Text
from data import incidents
from data.base.access import Actor
from data.incidents import Action, Tier

api = APIRouter(prefix="/api", tags=["incidents"])
Edit = Annotated[Actor, permission("unit.edit")]
Days = Annotated[int, Field(ge=0, le=3650)]
Position = Annotated[int, Field(ge=0, le=100_000)]
NewCode = Annotated[str, Field(pattern=r"^[a-z0-9_]+(\.[a-z0-9_]+)*$", max_length=64)]


class Choice(Input):
    """One of several answers."""

    code: Code = Field(examples=["sound"])
    name_zh: Line = Field(examples=["声控灯"])
    name_en: Line = Field(examples=["Sound switched"])
    retired: bool = Field(False, description="Offered no more; answers that were given keep it.", examples=[False])


class Question(Input):
    """What is asked when an incident of a category is reported."""

    code: Code = Field(examples=["kind"])
    name_zh: Line = Field(examples=["什么样的灯"])
    name_en: Line = Field(examples=["What kind of light"])
    kind: Literal["text", "number", "yes_no", "choice"] = Field(examples=["choice"])
    required: bool = Field(False, examples=[False])
    retired: bool = Field(False, description="Asked no more; answers that were given keep it.", examples=[False])
    choices: Annotated[list[Choice], Field(max_length=50)] = Field(
        [], examples=[[{"code": "sound", "name_zh": "声控灯", "name_en": "Sound switched"}]]
    )


class CategoryOut(Output):
    """A kind of incident."""

    code: str = Field(examples=["facility.corridor_light"])
    parent_code: str | None = Field(examples=["facility"])
    name_zh: str = Field(examples=["楼道灯不亮"])
    name_en: str = Field(examples=["Corridor light broken"])
    icon: str = Field(examples=["bulb"])
    tier: Tier | None = Field(description="Who settles it as a rule: grid, community or street.", examples=["grid"])
    days: int | None = Field(description="Working days until it is due.", examples=[3])
    limits: dict[Tier, int] = Field(description="Where a tier has other days.", examples=[{"street": 12}])
    recurrence_days: int | None = Field(description="Again within so many days is recurrent.", examples=[90])
    questions: list[Question] = Field(description="What is asked when it is reported.", examples=[[]])
    external_code: str | None = Field(description="The class of a standard or another system.", examples=[None])
    placed: bool = Field(
        description="Whether a case of it is somewhere, and its place has to be said.", examples=[True]
    )
    reportable: bool = Field(description="Whether residents may report it themselves.", examples=[True])
    personal: bool = Field(
        description="Whether it tells of a person, a family or a feud: strangers learn nothing of such cases.",
        examples=[False],
    )
    retired: bool = Field(description="Offered no more; the cases that have it keep it.", examples=[False])
    position: int = Field(examples=[1])


class CategoryChange(Change):
    """What of a category is to change."""

    needed = frozenset(
        {"name_zh", "name_en", "icon", "position", "limits", "questions", "placed", "reportable", "personal", "retired"}
    )

    parent_code: Code | None = Field(None, examples=["facility"])
    name_zh: Line | None = Field(None, examples=["楼道灯不亮"])
    name_en: Line | None = Field(None, examples=["Corridor light broken"])
    icon: Code | None = Field(None, examples=["bulb"])
    tier: Tier | None = Field(None, examples=["grid"])
    days: Days | None = Field(None, examples=[3])
    limits: dict[Tier, Days] | None = Field(None, examples=[{"street": 12}])
    recurrence_days: Days | None = Field(None, examples=[90])
    questions: Annotated[list[Question], Field(max_length=30)] | None = Field(None, examples=[[]])
    external_code: Code | None = Field(None, examples=[None])
    placed: bool | None = Field(None, examples=[True])
    reportable: bool | None = Field(None, examples=[True])
    personal: bool | None = Field(None, examples=[False])
    retired: bool | None = Field(None, examples=[False])
    position: Position | None = Field(None, examples=[1])


class CategoryNew(CategoryChange):
    """A category to be added."""

    code: NewCode = Field(examples=["facility.bench"])
    name_zh: Line = Field(examples=["座椅损坏"])
    name_en: Line = Field(examples=["Broken bench"])
    icon: Code = Field("dots", examples=["dots"])
    limits: dict[Tier, Days] = Field({}, examples=[{"street": 12}])
    questions: Annotated[list[Question], Field(max_length=30)] = Field([], examples=[[]])
    placed: bool = Field(True, examples=[True])
    reportable: bool = Field(True, examples=[True])
    personal: bool = Field(True, description="Unless it is said that it is not.", examples=[False])
    retired: bool = Field(False, examples=[False])
    position: Position = Field(0, examples=[50])


class TemplateOut(Output):
    """A response that is often given."""

    code: str = Field(examples=["resolved_light"])
    name_zh: str = Field(examples=["灯已修好"])
    name_en: str = Field(examples=["Light mended"])
    action: Action = Field(description="What it is offered for.", examples=["resolve"])
    text: str = Field(description="With {number}, {category} and {address} to be filled in.", examples=["已更换灯具。"])
    position: int = Field(examples=[1])


class TemplateChange(Change):
    """What of a template is to change."""

    needed = frozenset({"name_zh", "name_en", "action", "text", "position"})

    name_zh: Line | None = Field(None, examples=["灯已修好"])
    name_en: Line | None = Field(None, examples=["Light mended"])
    action: Action | None = Field(None, examples=["resolve"])
    text: Text | None = Field(None, examples=["已更换灯具。"])
    position: Position | None = Field(None, examples=[1])


class TemplateNew(TemplateChange):
    """A template to be added."""

    code: NewCode = Field(examples=["resolved_door"])
    name_zh: Line = Field(examples=["门禁已修好"])
    name_en: Line = Field(examples=["Door mended"])
    action: Action = Field(examples=["resolve"])
    text: Text = Field(examples=["门禁已修复，可正常刷卡。"])
    position: Position = Field(0, examples=[50])


class TemplatesAsked(listing.Parameters):
    """Which responses a request asks for."""

    action: Annotated[Action | None, Query(description="Only those for an action.")] = None


@api.get("/categories", summary="List categories")
def list_categories(session: Session, _actor: SignedIn) -> list[CategoryOut]:
    """All kinds of incidents, in the order of the list."""
    return [CategoryOut.model_validate(category) for category in incidents.categories(session)]


@api.post("/categories", summary="Add a category", status_code=status.HTTP_201_CREATED)
def add_category(session: Session, actor: Edit, body: CategoryNew) -> CategoryOut:
    """A new kind of incident."""
    return CategoryOut.model_validate(incidents.add_category(session, actor, **_plain(body)))


@api.patch("/categories/{code}", summary="Change a category")
def change_category(session: Session, actor: Edit, code: CodePath, body: CategoryChange) -> CategoryOut:
    """Change what the body names. A question that cases have answers to is retired when it is left out."""
    return CategoryOut.model_validate(incidents.change_category(session, actor, code, **_plain(body, set_only=True)))


@api.delete("/categories/{code}", summary="Remove a category", status_code=status.HTTP_204_NO_CONTENT)
def remove_category(session: Session, actor: Edit, code: CodePath) -> None:
    """Remove a kind that no incident has."""
    incidents.remove_category(session, actor, code)


@api.get("/templates", summary="List response templates")
def list_templates(session: Session, _actor: SignedIn, asked: Annotated[TemplatesAsked, Query()]) -> list[TemplateOut]:
    """Responses that are often given, in the order of the list."""
    return [TemplateOut.model_validate(template) for template in incidents.templates(session, asked.action)]


@api.post("/templates", summary="Add a response template", status_code=status.HTTP_201_CREATED)
def add_template(session: Session, actor: Edit, body: TemplateNew) -> TemplateOut:
    """A new response."""
    return TemplateOut.model_validate(incidents.add_template(session, actor, **_plain(body)))


@api.patch("/templates/{code}", summary="Change a response template")
def change_template(session: Session, actor: Edit, code: CodePath, body: TemplateChange) -> TemplateOut:
    """Change what the body names."""
    return TemplateOut.model_validate(incidents.change_template(session, actor, code, **_plain(body, set_only=True)))


@api.delete("/templates/{code}", summary="Remove a response template", status_code=status.HTTP_204_NO_CONTENT)
def remove_template(session: Session, actor: Edit, code: CodePath) -> None:
    """Remove a response."""
    incidents.remove_template(session, actor, code)


def _plain(body: Change, *, set_only: bool = False) -> dict[str, Any]:
    """The fields of a body as values of columns."""
    values = body.model_dump(exclude_unset=set_only)
    if values.get("limits") is not None:
        values["limits"] = {tier.value: days for tier, days in values["limits"].items()}
    return values
