"""Accounts, the roles they have and where, and what each role permits, over HTTP."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Literal

from fastapi import APIRouter, Query, Request, Response, status
from pydantic import Field

from api.accounts.security import Password, TokenOut, unwalled
from api.audit.routes import Entry, entries
from api.base import concurrency, listing
from api.base.deps import Session, permission
from api.base.fields import Change, Code, CodePath, Id, Input, Line, Output, Reference
from api.base.listing import Listed, PersonalTerm
from data import accounts, history, roles, units
from data.accounts import Account, Role
from data.base.access import Actor
from data.base.errors import Invalid
from data.base.language import _

api = APIRouter(prefix="/api", tags=["accounts"])
Read = Annotated[Actor, permission("account.read")]
Edit = Annotated[Actor, permission("account.edit")]
Position = Annotated[int, Field(ge=0, le=100_000)]


class AccountOut(Output):
    """Somebody who can sign in."""

    id: int = Field(examples=[3])
    username: str = Field(examples=["chen.min"])
    name: str = Field(examples=["陈敏"])
    active: bool = Field(description="A closed account cannot sign in.", examples=[True])
    language: str | None = Field(examples=["zh"])
    created_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])
    updated_at: datetime = Field(examples=["2026-03-17T01:30:00Z"])


class GrantOut(Output):
    """An account has a role at a unit and everything below it; without a unit everywhere."""

    id: int = Field(examples=[5])
    role_code: str = Field(examples=["grid_leader"])
    role_zh: str = Field(examples=["网格负责人"])
    role_en: str = Field(examples=["Grid leader"])
    unit_id: int | None = Field(description="Empty for everywhere.", examples=[7])
    unit_code: str | None = Field(examples=["990106003012004"])
    unit_name: str | None = Field(examples=["第四网格"])


class AccountDetail(AccountOut):
    """An account with its roles."""

    grants: list[GrantOut]


class GrantNew(Input):
    """A role to be given at a unit."""

    role_code: Code = Field(examples=["grid_leader"])
    unit_id: Reference | None = Field(
        description="Null gives it everywhere, which only who has it so can.", examples=[7]
    )


class AccountNew(Input):
    """An account to be opened."""

    username: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.@-]{2,64}$")] = Field(examples=["chen.min"])
    name: Line = Field(examples=["陈敏"])
    password: Password
    grants: list[GrantNew] = Field([], max_length=50)


class AccountChange(Change):
    """What of an account is to change."""

    needed = frozenset({"name", "active"})

    name: Line | None = Field(None, examples=["陈敏"])
    active: bool | None = Field(None, description="False closes the account and ends its sessions.", examples=[True])
    language: Literal["zh", "en"] | None = Field(None, examples=["zh"])


class PasswordReset(Input):
    """A new password for somebody else."""

    new: Password


class PermissionOut(Output):
    """Something that can be allowed."""

    code: str = Field(examples=["building.read"])
    name_zh: str = Field(examples=["查看楼栋和房屋"])
    name_en: str = Field(examples=["See buildings and dwellings"])


class RoleOut(Output):
    """A set of permissions with a name."""

    code: str = Field(examples=["grid_leader"])
    name_zh: str = Field(examples=["网格负责人"])
    name_en: str = Field(examples=["Grid leader"])
    position: int = Field(examples=[2])
    permissions: list[str] = Field(examples=[["building.read", "unit.read"]])


class RoleChange(Change):
    """What of a role is to change."""

    needed = frozenset({"name_zh", "name_en", "position", "permissions"})

    name_zh: Line | None = Field(None, examples=["网格负责人"])
    name_en: Line | None = Field(None, examples=["Grid leader"])
    position: Position | None = Field(None, examples=[2])
    permissions: Annotated[list[Code], Field(max_length=200)] | None = Field(None, examples=[["unit.read"]])


class RoleNew(RoleChange):
    """A role to be added."""

    code: Annotated[str, Field(pattern=r"^[a-z0-9_]+$", max_length=64)] = Field(examples=["volunteer"])
    name_zh: Line = Field(examples=["志愿者"])
    name_en: Line = Field(examples=["Volunteer"])
    position: Position = Field(0, examples=[20])
    permissions: Annotated[list[Code], Field(max_length=200)] = Field([], examples=[["unit.read"]])


class AccountFilters(listing.Filters[accounts.Filter]):
    """Which accounts a request asks for: the same parameters for lists and pages."""

    private = frozenset({"q"})

    role: Annotated[Code | None, Query(description="Only with this role.")] = None
    active: Annotated[bool | None, Query(description="Only open (or closed) ones.")] = None
    q: PersonalTerm = None

    def wanted(self) -> accounts.Filter:
        """The same for ``data``."""
        return accounts.Filter(role=self.role, active=self.active, text=self.q)


class AccountList(AccountFilters, listing.Paged):
    """What the address of the list asks for."""

    SORTS = accounts.SORTS
    sort: str = listing.sorted_by(SORTS, "username")


@api.get("/accounts", summary="List accounts", response_model=Listed[AccountOut])
def list_accounts(
    request: Request,
    session: Session,
    actor: Read,
    asked: Annotated[AccountList, Query()],
) -> Listed[AccountOut] | Response:
    """The accounts that have a role in one's area."""
    return listing.answer(
        request,
        session,
        accounts.selection(actor, asked.wanted()),
        asked,
        key=Account.id,
        item=AccountOut.model_validate,
    )


@api.post("/accounts", summary="Open an account", status_code=status.HTTP_201_CREATED)
def add_account(request: Request, response: Response, actor: Edit, body: AccountNew) -> AccountDetail:
    """A new account with its first roles. Nobody can give away what they may not do themselves.

    Whoever signs in with this password has to choose another one first.
    """
    if not body.grants and not actor.area("account.edit").everywhere:
        raise Invalid(
            _("Give the account a role in your area, else you cannot see it afterwards."), field="body.grants"
        )
    with unwalled(request, actor) as session:
        account = accounts.add(
            session,
            actor,
            username=body.username,
            name=body.name,
            password=body.password.get_secret_value(),
            password_given=True,
        )
        for grant in body.grants:
            unit = units.get(session, actor, grant.unit_id) if grant.unit_id is not None else None
            accounts.give(session, actor, account=account, role_code=grant.role_code, unit=unit)
        response.headers["Location"] = f"/api/accounts/{account.id}"
        return _answer(response, session, actor, account)


@api.get("/accounts/{account_id}", summary="Get an account")
def get_account(response: Response, session: Session, actor: Read, account_id: Id) -> AccountDetail:
    """An account with its roles."""
    return _answer(response, session, actor, accounts.get(session, actor, account_id))


@api.patch("/accounts/{account_id}", summary="Change or close an account")
def change_account(
    request: Request,
    response: Response,
    actor: Edit,
    account_id: Id,
    body: AccountChange,
    if_match: concurrency.IfMatch = None,
) -> AccountDetail:
    """Change what the body names."""
    with unwalled(request, actor) as session:
        account = accounts.get(session, actor, account_id)
        concurrency.check(session, account, if_match)
        accounts.change(session, actor, account, **body.model_dump(exclude_unset=True))
        answer = _answer(response, session, actor, account)
    request.app.state.actors.forget()
    return answer


@api.put("/accounts/{account_id}/password", summary="Reset a password", status_code=status.HTTP_204_NO_CONTENT)
def reset_password(request: Request, actor: Edit, account_id: Id, body: PasswordReset) -> None:
    """Give somebody a new password, to be changed with the next sign-in; their sessions and tokens end."""
    with unwalled(request, actor) as session:
        account = accounts.get(session, actor, account_id)
        accounts.reset_password(session, actor, account, body.new.get_secret_value())
    request.app.state.actors.forget()


@api.get("/accounts/{account_id}/tokens", summary="List the API tokens of an account")
def account_tokens(request: Request, actor: Edit, account_id: Id) -> list[TokenOut]:
    """The tokens by which programs act for an account that one manages, newest first."""
    with unwalled(request, actor) as session:
        account = accounts.get(session, actor, account_id)
        return [TokenOut.model_validate(token) for token in accounts.api_tokens(session, actor, account)]


@api.delete(
    "/accounts/{account_id}/tokens/{token_id}", summary="End an API token", status_code=status.HTTP_204_NO_CONTENT
)
def end_account_token(request: Request, actor: Edit, account_id: Id, token_id: Id) -> None:
    """End a token of an account that one manages."""
    with unwalled(request, actor) as session:
        accounts.revoke_api_token(session, actor, token_id, accounts.get(session, actor, account_id))
    request.app.state.actors.forget()


@api.get("/accounts/{account_id}/history", summary="History of an account")
def account_history(session: Session, actor: Read, account_id: Id) -> list[Entry]:
    """What happened to an account, newest first."""
    accounts.get(session, actor, account_id)
    return entries(history.of_record(session, "account", account_id))


@api.post("/accounts/{account_id}/grants", summary="Give a role", status_code=status.HTTP_201_CREATED)
def give_role(request: Request, response: Response, actor: Edit, account_id: Id, body: GrantNew) -> AccountDetail:
    """Give an account a role at a unit, or everywhere."""
    with unwalled(request, actor) as session:
        account = accounts.get(session, actor, account_id)
        unit = units.get(session, actor, body.unit_id) if body.unit_id is not None else None
        accounts.give(session, actor, account=account, role_code=body.role_code, unit=unit)
        answer = _answer(response, session, actor, account)
    request.app.state.actors.forget()
    return answer


@api.delete("/accounts/{account_id}/grants/{grant_id}", summary="Take a role", status_code=status.HTTP_204_NO_CONTENT)
def take_role(request: Request, actor: Edit, account_id: Id, grant_id: Id) -> None:
    """Take a role from an account."""
    with unwalled(request, actor) as session:
        accounts.take(session, actor, accounts.get(session, actor, account_id), grant_id)
    request.app.state.actors.forget()


@api.get("/permissions", summary="List permissions")
def list_permissions(session: Session, actor: Read) -> list[PermissionOut]:
    """All permissions, by code."""
    return [PermissionOut.model_validate(one) for one in roles.permissions(session)]


@api.get("/roles", summary="List roles")
def list_roles(session: Session, actor: Read) -> list[RoleOut]:
    """All roles with their permissions, in the order of the list."""
    permitted = roles.by_role(session)
    return [_role(role, permitted.get(role.code, [])) for role in accounts.roles(session)]


@api.post("/roles", summary="Add a role", status_code=status.HTTP_201_CREATED)
def add_role(request: Request, actor: Edit, body: RoleNew) -> RoleOut:
    """A new role."""
    with unwalled(request, actor) as session:
        role = roles.add(session, actor, **body.model_dump())
    return _role(role, sorted(set(body.permissions)))


@api.patch("/roles/{code}", summary="Change a role")
def change_role(request: Request, actor: Edit, code: CodePath, body: RoleChange) -> RoleOut:
    """Change its names and what it permits, for everybody who has it."""
    with unwalled(request, actor) as session:
        role = roles.change(session, actor, roles.get(session, code), **body.model_dump(exclude_unset=True))
        permitted = roles.by_role(session).get(code, [])
    request.app.state.actors.forget()
    return _role(role, permitted)


@api.delete("/roles/{code}", summary="Remove a role", status_code=status.HTTP_204_NO_CONTENT)
def remove_role(request: Request, actor: Edit, code: CodePath) -> None:
    """Remove a role that no account has."""
    with unwalled(request, actor) as session:
        roles.remove(session, actor, roles.get(session, code))


def _answer(response: Response, session: Session, actor: Actor, account: Account) -> AccountDetail:
    concurrency.tag(response, account)
    area = actor.area("account.read")
    grants = [
        GrantOut.model_validate(grant)
        for grant in accounts.grants(session, account.id)
        if area.everywhere or grant["unit_id"] in area.whole
    ]
    return AccountDetail(**AccountOut.model_validate(account).model_dump(), grants=grants)


def _role(role: Role, permissions: list[str]) -> RoleOut:
    return RoleOut(
        code=role.code, name_zh=role.name_zh, name_en=role.name_en, position=role.position, permissions=permissions
    )
