"""Teams: the four posts of each grid, guides 指导人员, line officers 对口专干 and service teams 特色服务队.

A grid's team is a grid leader 网格负责人 (a community worker), an information officer 信息员 (an auxiliary police
officer), a supervisor 督导员 (a street cadre) and a building warden 楼栋员 (one of the 五老). Whoever has a post has it
for a span of days, so that one sees who was there then; a grid never has two leaders on one day.

- ``tables`` what is remembered
- ``posts`` who holds which post; ``advising`` guides and line officers; ``serving`` service teams
- ``responsible`` who is responsible for a building
"""

from data.teams.advising import (
    advisers,
    appoint_guide,
    appoint_officer,
    change_guide,
    change_officer,
    grids_of,
    guide,
    guides,
    officer,
    officers,
)
from data.teams.posts import appoint, appoint_buildings, change, former, get, minded, of_grid, with_accounts
from data.teams.responsible import Responsible, of_building, of_community
from data.teams.serving import (
    change_service_team,
    found_service_team,
    join,
    leave,
    members,
    remove_service_team,
    service_team,
    service_teams,
    serving,
)
from data.teams.tables import (
    Elder,
    Guide,
    GuideGrid,
    GuideNotFound,
    LineOfficer,
    MemberNotFound,
    OfficerNotFound,
    Post,
    ServiceMember,
    ServiceTeam,
    ServiceTeamNotFound,
    Standing,
    TeamMember,
    WardenBuilding,
    elder_names,
    post_names,
    standing_names,
)

__all__ = [
    "Elder",
    "Guide",
    "GuideGrid",
    "GuideNotFound",
    "LineOfficer",
    "MemberNotFound",
    "OfficerNotFound",
    "Post",
    "Responsible",
    "ServiceMember",
    "ServiceTeam",
    "ServiceTeamNotFound",
    "Standing",
    "TeamMember",
    "WardenBuilding",
    "advisers",
    "appoint",
    "appoint_buildings",
    "appoint_guide",
    "appoint_officer",
    "change",
    "change_guide",
    "change_officer",
    "change_service_team",
    "elder_names",
    "former",
    "found_service_team",
    "get",
    "grids_of",
    "guide",
    "guides",
    "join",
    "leave",
    "members",
    "minded",
    "of_building",
    "of_community",
    "of_grid",
    "officer",
    "officers",
    "post_names",
    "remove_service_team",
    "service_team",
    "service_teams",
    "serving",
    "standing_names",
    "with_accounts",
]
