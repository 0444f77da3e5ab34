"""Households 家庭, their residents 居民, special groups 特殊群体 and tenancies 租住.

A resident is found through dwelling, building and grid; nobody here has a position of their own. Names, phones and
identity numbers are handed out masked (``masked``) unless ``unmask`` was asked for, with a purpose, by someone who may.

- ``tables`` what is remembered
- ``masks`` what is personal, and how it is hidden and shown; ``lookups`` who finds whom by it
- ``linked`` which cases are about a household
- ``homes`` households and special groups, ``residents``, ``tenancies``: filters, reads and writes of each
"""

from data.households import linked, words
from data.households.homes import (
    add,
    add_special_group,
    change,
    change_special_group,
    end_membership,
    get,
    join_group,
    leave_group,
    memberships,
    odd,
    remove,
    remove_special_group,
    special_group,
    special_groups,
)
from data.households.lookups import LOOKUP, LOOKUPS, TooManyLookups, is_number, lookup
from data.households.masks import MASKS, UNMASK, grid_of, masked, stated, unmask
from data.households.residents import (
    add_resident,
    change_resident,
    get_resident,
    indexed,
    members,
    registered,
    remove_resident,
)
from data.households.tables import (
    GroupNotFound,
    Household,
    HouseholdGroup,
    HouseholdIncident,
    HouseholdNotFound,
    Resident,
    ResidentNotFound,
    SpecialGroup,
    Status,
    Tenancy,
    TenancyNotFound,
    TenancyTenant,
)
from data.households.tenancies import add_tenancy, change_tenancy, get_tenancy, remove_tenancy, tenants

__all__ = [
    "LOOKUP",
    "LOOKUPS",
    "MASKS",
    "UNMASK",
    "GroupNotFound",
    "Household",
    "HouseholdGroup",
    "HouseholdIncident",
    "HouseholdNotFound",
    "Resident",
    "ResidentNotFound",
    "SpecialGroup",
    "Status",
    "Tenancy",
    "TenancyNotFound",
    "TenancyTenant",
    "TooManyLookups",
    "add",
    "add_resident",
    "add_special_group",
    "add_tenancy",
    "change",
    "change_resident",
    "change_special_group",
    "change_tenancy",
    "end_membership",
    "get",
    "get_resident",
    "get_tenancy",
    "grid_of",
    "indexed",
    "is_number",
    "join_group",
    "leave_group",
    "linked",
    "lookup",
    "masked",
    "members",
    "memberships",
    "odd",
    "registered",
    "remove",
    "remove_resident",
    "remove_special_group",
    "remove_tenancy",
    "special_group",
    "special_groups",
    "stated",
    "tenants",
    "unmask",
    "words",
]
