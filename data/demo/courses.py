"""How the cases of the demo community were seen to: the steps of each, from report to feedback, as people take them.

Who did something is told by a word: ``leader`` the leader of the case's grid, ``staff`` the community, ``street`` the
street; nobody where a rule did it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from data.incidents import Action, Level, State, Step, Tier

#: The share of a case's time that has passed at each step.
_STARTED, _RESOLVED, _TOLD = 0.3, 0.85, 0.95
_DONE = {
    "facility.corridor_light": "已更换灯具并通电试亮，恢复正常照明。",
    "facility.street_light": "已报路灯管理部门修复，夜间复查正常亮灯。",
    "facility.unlit_path": "已列入街道增设路灯计划并完成安装。",
    "environment": "已组织清理并恢复整洁，将纳入日常巡查。",
    "inquiry": "已当面解答，并告知所需材料和办理地点。",
    "order": "已劝离并加强巡查。",
    "safety": "已现场排除隐患，并告知责任人。",
    "dispute": "已组织双方调解，达成一致。",
    "help": "已上门办妥。",
    "facility": "已联系维修单位处理完毕，网格员到场核实。",
}
_TOLD_BY = (
    "电话告知反映人处理结果，反映人表示认可。",
    "已上门向反映人说明，反映人表示满意。",
    "微信告知反映人已办结。",
)
_HELD = ("等待配件到货，到货后立即处理。", "需立项申请经费，已报街道。", "等待业主大会表决。")
_REJECTED = ("已到现场核实，未发现所反映的情况。", "该地点不属于本社区，已告知反映人向所在社区反映。")
_AGAIN = ("反映人表示问题仍未解决，重新处理。", "次日复查又出现同样问题。")
_UP = ("需物业和维修单位配合，请社区协调。", "网格内无法解决，请社区牵头。")


@dataclass
class Course:
    """How a case stands, and the steps that led there: ``action, step, at, by, note, public, tier, level, held_by``."""

    step: Step = Step.REPORTED
    tier: Tier | None = None
    level: Level = Level.GRID
    held_by: str | None = None
    supervised: bool = False
    resolved_at: datetime | None = None
    feedback_at: datetime | None = None
    closed_at: datetime | None = None
    steps: list[dict[str, Any]] = field(default_factory=list)

    def add(self, action: Action, step: Step, at: datetime, by: str | None = None, note: str | None = None) -> None:
        """Take a step."""
        self.step = step
        public = action in (Action.REPORT, Action.RESOLVE, Action.GIVE_FEEDBACK)
        self.steps.append(
            {
                "action": action,
                "step": step,
                "at": at,
                "by": by,
                "note": note,
                "public": public,
                "tier": self.tier,
                "level": self.level,
                "held_by": self.held_by,
            }
        )

    def columns(self) -> dict[str, Any]:
        """The columns of the case itself that say how it stands."""
        names = ("step", "tier", "level", "held_by", "supervised", "resolved_at", "feedback_at", "closed_at")
        return {name: getattr(self, name) for name in names}


def course(
    random: Random, category: str, tier: str, reported: datetime, state: State, closed: datetime | None, now: datetime
) -> Course:
    """The course of a case that stands in ``state`` at ``now``; a closed one was closed at ``closed``."""
    case = Course()
    case.add(Action.REPORT, Step.REPORTED, reported)
    if state is State.NEW:
        return case
    end = closed or now - timedelta(minutes=10)
    whole = max(end - reported, timedelta(minutes=5))
    _triage(case, Tier(tier), reported + min(whole * 0.1, timedelta(minutes=random.randrange(10, 100))))
    if state is State.DECLINED:
        case.add(Action.REJECT, Step.REJECTED, reported + whole * 0.4, case.held_by, random.choice(_REJECTED))
        return case
    who = case.held_by
    late = state is State.IN_PROGRESS and random.random() < 0.35
    if late:
        return case
    case.add(Action.START, Step.IN_PROGRESS, reported + whole * _STARTED, who)
    if case.tier is Tier.COMMUNITY and random.random() < 0.25:
        who = _escalate(case, random, reported, whole)
    if state is State.ON_HOLD:
        case.add(Action.HOLD, Step.ON_HOLD, reported + whole * 0.6, who, random.choice(_HELD))
    elif state in (State.TO_VERIFY, State.CLOSED):
        _settle(case, random, category, reported, whole, who, state)
    return case


def _triage(found: Course, tier: Tier, at: datetime) -> None:
    found.tier, found.level, found.supervised = tier, Level(tier.value), tier is Tier.STREET
    found.add(Action.TRIAGE, Step.TRIAGED, at, "leader" if tier is Tier.GRID else "staff")
    found.held_by = "street" if tier is Tier.STREET else "leader"
    found.add(Action.ASSIGN, Step.ASSIGNED, at)


def _escalate(found: Course, random: Random, reported: datetime, whole: timedelta) -> str:
    at = reported + whole * 0.4
    found.held_by = None
    found.level = Level.COMMUNITY
    found.add(Action.ESCALATE, Step.TRIAGED, at, "leader", random.choice(_UP))
    found.held_by = "staff"
    found.add(Action.ASSIGN, Step.ASSIGNED, at)
    found.add(Action.START, Step.IN_PROGRESS, reported + whole * 0.5, "staff")
    return "staff"


def _settle(
    case: Course, random: Random, category: str, reported: datetime, whole: timedelta, who: str | None, state: State
) -> None:
    done = _DONE.get(category) or _DONE[category.partition(".")[0]]
    if random.random() < 0.08 and whole > timedelta(days=1):
        case.add(Action.RESOLVE, Step.RESOLVED, reported + whole * 0.6, who, done)
        case.add(Action.REOPEN, Step.IN_PROGRESS, reported + whole * 0.7, "staff", random.choice(_AGAIN))
    case.resolved_at = reported + whole * _RESOLVED
    case.add(Action.RESOLVE, Step.RESOLVED, case.resolved_at, who, done)
    if state is State.TO_VERIFY and random.random() < 0.5:
        return
    case.feedback_at = reported + whole * _TOLD
    case.add(Action.GIVE_FEEDBACK, Step.FEEDBACK_GIVEN, case.feedback_at, who, random.choice(_TOLD_BY))
    if state is State.CLOSED:
        case.closed_at = reported + whole
        case.add(Action.CLOSE, Step.CLOSED, case.closed_at, "staff" if who != "leader" else "leader")


def merge_repeats(rows: list[dict[str, Any]], points: list[Any], most: int = 3) -> None:
    """Let a few later reports of a broken corridor light be of the same light as an earlier one, and merge them.

    ``rows`` are cases by time with their ``steps``, ``points`` where each is; a merged one gets ``merged_into``, the
    number of its original.
    """
    lights: list[int] = []
    merged = 0
    for place, row in enumerate(rows):
        row["merged_into"] = None
        if row["category_code"] != "facility.corridor_light" or row["source"] == "visit" or row["grid"] is None:
            continue
        at = row["reported_at"] + timedelta(minutes=20)
        same = [
            other
            for other in lights
            if rows[other]["grid"] == row["grid"] and rows[other]["closed_at"] and at < rows[other]["resolved_at"]
        ]
        if same and merged < most:
            earlier = rows[same[-1]]
            row |= {name: earlier[name] for name in ("building_code", "address", "located_by")}
            points[place] = points[same[-1]]
            row["description"] = f"{earlier['building_code']} 号楼还是没有灯"
            _merge(row, earlier, at)
            merged += 1
        else:
            lights.append(place)


def _merge(row: dict[str, Any], earlier: dict[str, Any], at: datetime) -> None:
    again = Course()
    again.add(Action.REPORT, Step.REPORTED, row["reported_at"])
    again.add(Action.MERGE, Step.MERGED, at, "leader")
    row |= again.columns() | {"steps": again.steps, "merged_into": earlier["number"]}
    row |= {name: earlier[name] for name in ("resolved_at", "feedback_at", "closed_at")}


def mark_recurrent(rows: list[dict[str, Any]], days: dict[str, int]) -> None:
    """Mark what was settled at the same building within the days of its category before (category → days)."""
    for row in rows:
        within = days.get(row["category_code"], 0)
        known = [
            other["closed_at"]
            for other in rows
            if (other["category_code"], other["building_code"]) == (row["category_code"], row["building_code"])
            and other["closed_at"] is not None
            and other["merged_into"] is None
            and row["reported_at"] - timedelta(days=within) <= other["closed_at"] <= row["reported_at"]
        ]
        row["recurrent"] = bool(known) and row["building_code"] is not None
