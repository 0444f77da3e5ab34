"""Households 家庭, their residents 居民, special groups 特殊群体 and tenancies 租住.

A resident is found through dwelling, building and grid; nobody here has a position of their own. Names, phones and
identity numbers are handed out masked (``masked``) unless ``unmask`` was asked for, with a purpose, by someone who may.

- ``tables`` what is remembered
- ``masks`` what is personal, and how it is hidden and shown
- ``homes`` households and special groups, ``residents``, ``tenancies``: filters, reads and writes of each
"""

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
    remove,
    remove_special_group,
    special_group,
    special_groups,
)
from data.households.masks import MASKS, grid_of, masked, unmask
from data.households.residents import (
    add_resident,
    change_resident,
    get_resident,
    indexed,
    members,
    remove_resident,
)
from data.households.tables import (
    GroupNotFound,
    Household,
    HouseholdGroup,
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
    "MASKS",
    "GroupNotFound",
    "Household",
    "HouseholdGroup",
    "HouseholdNotFound",
    "Resident",
    "ResidentNotFound",
    "SpecialGroup",
    "Status",
    "Tenancy",
    "TenancyNotFound",
    "TenancyTenant",
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
    "join_group",
    "leave_group",
    "masked",
    "members",
    "memberships",
    "remove",
    "remove_resident",
    "remove_special_group",
    "remove_tenancy",
    "special_group",
    "special_groups",
    "tenants",
    "unmask",
]
