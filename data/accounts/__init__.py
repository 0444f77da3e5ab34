"""Accounts: who signs in, with which roles, where; sessions and API tokens.

A *grant* gives an account a role at a unit and reaches down the tree; one without a unit holds everywhere. A role is a
set of permissions. Roles and permissions are rows; ``data/reference`` holds what a new installation begins with.

- ``tables`` what is remembered
- ``people`` the accounts themselves; ``granting`` who gives which role where
- ``signing_in`` sessions; ``attempts`` how often one may try; ``passwords`` which are good enough
- ``tokens`` by which programs act
- ``standing_in`` who stands in for whom during holidays
"""

from data.accounts.attempts import FREE, PER_ADDRESS, PER_NAME
from data.accounts.granting import (
    ADMINISTERS,
    give,
    keeping_an_administrator,
    require_over,
    somebody_administers,
    take,
)
from data.accounts.passwords import (
    PASSWORD_MIN,
    WrongPassword,
    change_password,
    check_password,
    reset_password,
    set_password,
)
from data.accounts.people import (
    DEMO_COMMUNITY,
    SORTS,
    Filter,
    actor,
    add,
    by_username,
    change,
    count_at,
    everybody,
    get,
    grants,
    of_the_demo,
    roles,
    roles_of,
    selection,
    who_may,
)
from data.accounts.signing_in import Opened, by_session, prolong, sign_in, sign_out
from data.accounts.standing_in import (
    StandIn,
    StandInNotFound,
    deputies,
    deputy,
    end_stand_in,
    stand_in,
    stand_ins,
    those_who_can,
)
from data.accounts.tables import (
    Account,
    AccountNotFound,
    ApiToken,
    Grant,
    GrantNotFound,
    Permission,
    Role,
    RolePermission,
    SignIn,
    SignInAttempt,
    SignInFailed,
    TooManyAttempts,
)
from data.accounts.tokens import KEPT_FROM_TOKENS, api_tokens, by_token, new_api_token, revoke_api_token

__all__ = [
    "ADMINISTERS",
    "DEMO_COMMUNITY",
    "FREE",
    "KEPT_FROM_TOKENS",
    "PASSWORD_MIN",
    "PER_ADDRESS",
    "PER_NAME",
    "SORTS",
    "Account",
    "AccountNotFound",
    "ApiToken",
    "Filter",
    "Grant",
    "GrantNotFound",
    "Opened",
    "Permission",
    "Role",
    "RolePermission",
    "SignIn",
    "SignInAttempt",
    "SignInFailed",
    "StandIn",
    "StandInNotFound",
    "TooManyAttempts",
    "WrongPassword",
    "actor",
    "add",
    "api_tokens",
    "by_session",
    "by_token",
    "by_username",
    "change",
    "change_password",
    "check_password",
    "count_at",
    "deputies",
    "deputy",
    "end_stand_in",
    "everybody",
    "get",
    "give",
    "grants",
    "keeping_an_administrator",
    "new_api_token",
    "of_the_demo",
    "prolong",
    "require_over",
    "reset_password",
    "revoke_api_token",
    "roles",
    "roles_of",
    "selection",
    "set_password",
    "sign_in",
    "sign_out",
    "somebody_administers",
    "stand_in",
    "stand_ins",
    "take",
    "those_who_can",
    "who_may",
]
