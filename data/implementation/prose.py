"""The text of an implementation report 《社区网格化管理组团式服务实施情况报告》, out of what was counted.

The report is an official document in Chinese whatever the language of the pages. Each part is plain text, a paragraph
a line; lines such as ``1.人员及岗位设置`` are its headings. Where a period had none of something, a sentence says so.
Numbers are written as GB/T 15835-2011 has them: Arabic figures without commas, per cent with the sign.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from data.implementation.counting import Figures
from data.implementation.tables import Part

SUBJECTS = {
    "petition": "信访隐患",
    "family_planning": "计划生育",
    "low_income": "低保",
    "civil_affairs": "民政",
    "civility": "文明创建",
    "safety": "安全生产",
    "order": "综治维稳",
    "utilities": "楼道照明和水电",
    "environment": "环境卫生",
    "hukou": "户口迁移",
    "insurance": "医疗和社会保险办理",
    "jobs": "就业",
    "housing": "住房和物业",
    "neighbours": "邻里关系",
    "other": "其他事项",
}
_ELDERS = {"cadre": "老干部", "expert": "老专家", "soldier": "老军人", "teacher": "老教师", "model": "老模范"}
_GUIDES = {"community": "社区", "street": "街道", "district": "区相关部门"}
_POSTS = {"leader": "网格负责人", "information_officer": "信息员", "supervisor": "督导员", "building_warden": "楼栋员"}
KINDS = {
    "lecture": "专题讲座",
    "cleanup": "清理辖区卫生",
    "repair": "便民维修",
    "culture": "文体活动",
    "consulting": "咨询服务",
    "other": "其他活动",
}
_LEVELS = {"building": "楼院", "grid": "网格", "community": "社区服务中心"}


def title(figures: Figures) -> str:
    """The heading of the report."""
    return f"{figures['community']}网格化管理组团式服务实施情况报告"


def period(figures: Figures) -> str:
    """The days it tells of: ``2026年1月1日至3月31日``."""
    return span(date.fromisoformat(figures["first"]), date.fromisoformat(figures["last"]))


def written(figures: Figures) -> dict[Part, str]:
    """The text of each part."""
    return {
        Part.OPENING: _opening(figures),
        Part.POSTS: _posts(figures),
        Part.ARCHIVES: _archives(figures),
        Part.VISITS: _visits(figures),
        Part.SERVICES: _services(figures),
        Part.PROBLEMS: _problems(figures),
        Part.CLOSING: (
            "“网格化管理、组团式服务”我们只是进行了初步的探索和实践，有不足之处请上级领导提出宝贵意见。"
            "今后我们将在工作中创新思维，扎实工作，为促进和谐社区建设作出贡献。"
        ),
    }


#: The headings above the parts that have one.
HEADINGS = {
    Part.POSTS: "一、定人、定岗、定责，为实施网格化管理组团式服务打好基础",
    Part.ARCHIVES: "二、建立信息平台，掌握网格内居民基本情况",
    Part.VISITS: "三、组织入户，进一步了解网格居民的诉求及信息收集",
    Part.SERVICES: "四、注重实效，力争为网格居民提供更好的服务",
    Part.PROBLEMS: "五、存在问题",
}


def span(first: date, last: date) -> str:
    """Days as an official text writes them.

    >>> span(date(2026, 3, 17), date(2026, 3, 18)), span(date(2026, 3, 17), date(2026, 3, 17))
    ('2026年3月17日至18日', '2026年3月17日')
    >>> span(date(2025, 12, 1), date(2026, 3, 1)), span(date(2026, 1, 1), date(2026, 3, 31))
    ('2025年12月1日至2026年3月1日', '2026年1月1日至3月31日')
    """
    begun = f"{first.year}年{first.month}月{first.day}日"
    if first == last:
        return begun
    year = "" if first.year == last.year else f"{last.year}年"
    month = "" if not year and first.month == last.month else f"{last.month}月"
    return f"{begun}至{year}{month}{last.day}日"


def ground(area_m2: float) -> str:
    """An area: in 万平方米 (hectares) from one up, with one decimal.

    >>> ground(156_017.2), ground(200_000), ground(8_412)
    ('15.6万平方米', '20万平方米', '8412平方米')
    """
    return f"{plain(area_m2 / 10_000)}万平方米" if area_m2 >= 10_000 else f"{area_m2:.0f}平方米"


def plain(value: float) -> str:
    """A number with at most one decimal.

    >>> plain(12.04), plain(12.35), plain(0.05)
    ('12', '12.3', '0.1')
    """
    return f"{value:.1f}".removesuffix(".0")


def share(part: int, whole: int) -> str:
    """A share in whole per cent; what is not all is never written as 100, and what is not nothing never as 0.

    >>> share(1400, 1556), share(1555, 1556), share(1, 1556), share(0, 4)
    ('90%', '99%', '1%', '0%')
    """
    percent = round(100 * part / whole) if whole else 0
    if 0 < part < whole:
        percent = min(99, max(1, percent))
    return f"{percent}%"


def _between(values: Sequence[int], unit: str) -> str:
    least, most = min(values), max(values)
    return f"{least}{unit}" if least == most else f"{least}至{most}{unit}"


def _lines(*lines: str) -> str:
    return "\n".join(line for line in lines if line)


def _opening(figures: Figures) -> str:
    grids = [grid for grid in figures["grids"] if grid["households"]]
    each = ""
    if grids:
        households = _between([grid["households"] for grid in grids], "户")
        each = f"，每个网格{households}、{_between([grid['people'] for grid in grids], '人')}"
    size = f"{figures['community']}占地{ground(figures['area_m2'])}，" if figures["area_m2"] else figures["community"]
    return _lines(
        f"{size}辖区内有住宅楼{figures['buildings']}栋，总户数{figures['households']}户，总人口{figures['people']}人，"
        f"共分{len(figures['grids'])}个网格{each}。现将{period(figures)}实施“网格化管理、组团式服务”的情况汇报如下："
    )


def _posts(figures: Figures) -> str:
    posts, grids = figures["posts"], len(figures["grids"])
    named = [f"{count}名{_POSTS[post]}" for post, count in posts.items() if count]
    even = grids and all(count % grids == 0 for count in posts.values())
    if not named:
        people = "尚未登记网格服务人员。"
    elif even:
        each = "、".join(f"{count // grids}名{_POSTS[post]}" for post, count in posts.items() if count)
        people = (
            f"每个网格设{sum(posts.values()) // grids}人组成的社区民生服务组（{each}），共{sum(posts.values())}人。"
        )
    else:
        people = f"全社区{grids}个网格共有民生服务组人员{sum(posts.values())}人，其中{'、'.join(named)}。"
    elders = "、".join(f"{_ELDERS[elder]}{count}名" for elder, count in figures["elders"].items())
    guides = "、".join(f"{_GUIDES[standing]}{count}名" for standing, count in figures["guides"].items())
    wardens = f"楼栋员由网格内居住的“五老”人员担任，其中{elders}。" if elders else ""
    guided = f"网格管理服务指导人员{sum(figures['guides'].values())}名，其中{guides}。" if guides else ""
    return _lines(
        "1.人员及岗位设置",
        people + wardens + (guided or "尚未登记网格管理服务指导人员。") + _teams(figures),
        "2.工作职责",
        "网格负责人联合网格内志愿者队伍当好社区管理服务“六大员”，即政策法律宣传员、社情民意采集员、矛盾纠纷调解员、"
        "社区管理监督员、文明新风倡导员、突发事件报告员。负责网格内综合信息的收集整理，每周与业务对口专干交接，"
        "对民生民情分类记入民情日记，解决一件注销一件；对居民反映求助的事，一般性事务现场处理，需要协调的由网格和社区"
        "协调处理，紧急的或社区不能独立办理的立即上报并全程跟踪。",
        "3.工作制度",
        _rhythm(figures),
        "会议、台账、报告、督查、培训、奖惩各项制度按街道统一要求执行。",
    )


def _teams(figures: Figures) -> str:
    before, new = figures["teams_before"], figures["teams_new"]
    if not before and not new:
        return "尚未组建特色服务队。"
    names = "、".join(name.removesuffix("服务队").removesuffix("队") for name in new)
    if not new:
        return f"现有特色服务队{before}支，本期没有新成立服务队。"
    if not before:
        return f"本期新成立了{names}等{len(new)}支特色服务队。"
    return f"在原有{before}支特色服务队的基础上，新成立了{names}等{len(new)}支服务队。"


def _rhythm(figures: Figures) -> str:
    said = []
    for who, name in (("ordinary", "普通户"), ("special", "特殊户")):
        rhythm = figures["rhythms"].get(who, {})
        visit, call = (rhythm.get(manner, 0) for manner in ("visit", "call"))
        asked = [
            text
            for months, text in ((visit, "上门走访一次"), (call, "电话随访一次"))
            if months
            for text in (f"{_every(months)}{text}",)
        ]
        if asked:
            said.append(name + "，".join(asked))
    return f"走访制度：{'；'.join(said)}。" if said else "走访制度：尚未规定走访频次。"


def _every(months: int) -> str:
    return {1: "每月", 3: "每季度", 6: "每半年", 12: "每年"}.get(months, f"每{months}个月")


def _archives(figures: Figures) -> str:
    special = figures["special"]
    ordinary = figures["households"] - special
    groups = "、".join(f"{group['name']}{group['households']}户" for group in figures["groups"])
    held = f"1.建立普通群体家庭信息档案{ordinary}户。" if figures["households"] else "1.尚未建立家庭信息档案。"
    kept = f"2.建立特殊群体家庭信息档案{special}户，其中{groups}（一户可属多类）。" if special else ""
    let = f"3.建立流动人口信息档案：出租房屋{figures['tenancies']}处，租房人员{figures['tenants']}人。"
    return _lines(
        held,
        kept or "2.没有登记在册的特殊群体家庭。",
        let if figures["tenancies"] else "3.没有登记在册的出租房屋。",
    )


def _visits(figures: Figures) -> str:
    lines = [_campaign(campaign) for campaign in figures["campaigns"]] or ["本期没有组织集中入户走访。"]
    if figures["visits"] or figures["calls"]:
        reached = f"走到或联系到{figures['reached']}户，占总户数的{share(figures['reached'], figures['households'])}"
        of_special = f"，其中特殊群体家庭{figures['reached_special']}户" if figures["special"] else ""
        lines.append(f"本期共上门走访{figures['visits']}次，电话随访{figures['calls']}次，{reached}{of_special}。")
    else:
        lines.append("本期没有上门走访和电话随访的记录。")
    if figures["said"]:
        lines.append(
            f"本期民情日记共记{figures['said']}条，其中需要解决的{figures['asked']}条，"
            f"已解决注销{figures['struck']}条。"
        )
    else:
        lines.append("本期没有民情日记记录。")
    return _lines(*lines)


def _campaign(campaign: Figures) -> str:
    first, last = date.fromisoformat(campaign["first"]), date.fromisoformat(campaign["last"])
    weekend = "双休日" if all(day.isoweekday() > 5 for day in (first, last)) and (last - first).days < 2 else ""
    days = span(first, last).removeprefix(f"{first.year}年")
    text = f"社区利用{days}{weekend}开展了集中入户走访，"
    met = share(campaign["met"], campaign["households"])
    text += f"共{campaign['households']}户，走访到{campaign['met']}户，入户率达{met}。"
    if campaign["cards"]:
        text += (
            f"这次入户共发放便民服务卡{campaign['cards']}张，卡上标明了网格负责人的电话、社区电话及承诺的服务内容，"
            "居民随时可以咨询和反映问题。"
        )
    else:
        text += "这次入户没有发放便民服务卡。"
    if not campaign["asked"]:
        return text + "这次走访没有收集到需要解决的问题。"
    subjects = [SUBJECTS[code] for code, _count in campaign["subjects"][:4]]
    solved = "当即全部解决" if campaign["solved"] == campaign["asked"] else "当即解决"
    return text + (
        f"居民反映的主要是{'、'.join(subjects)}等问题。这次走访共收集信息{campaign['asked']}条，"
        f"{solved}{campaign['solved']}条。"
    )


def _services(figures: Figures) -> str:
    return _lines(
        "1.网格化管理的运转方式更加精细化",
        "社区整体一张网，网中有格，按格定岗，人在格上，事在网中，形成社区管理服务中心、网格、楼栋三级联动的管理机制。"
        + _cases(figures),
        "2.创新社区调解机制，及时化解矛盾纠纷",
        _disputes(figures),
        "3.通过网格化管理积极开展其他生活服务",
        _activities(figures),
    )


def _cases(figures: Figures) -> str:
    if not figures["cases"] and not figures["cases_solved"]:
        return "本期没有受理和办结的事件。"
    late = f"，其中超过时限办结{figures['cases_late']}件" if figures["cases_late"] else ""
    return f"本期受理事件{figures['cases']}件，办结{figures['cases_solved']}件{late}。"


def _disputes(figures: Figures) -> str:
    linked = "社区服务中心、网格、楼院三级联动调解，矛盾纠纷早发现、早化解。"
    if not figures["disputes"]:
        return f"{linked}本期没有登记矛盾纠纷。"
    settled = figures["disputes_settled"]
    levels = "、".join(f"在{_LEVELS[level]}化解{count}件" for level, count in settled.items() if count)
    done = f"已调解成功{sum(settled.values())}件，其中{levels}" if levels else "尚无调解成功的"
    return f"{linked}本期登记矛盾纠纷{figures['disputes']}件，{done}。"


def _activities(figures: Figures) -> str:
    before, new = figures["teams_before"], figures["teams_new"]
    teams = f"社区现有特色服务队{before + len(new)}支，定期为居民开展专题讲座和各项益民活动。" if before or new else ""
    by_kind: dict[str, list[dict[str, Any]]] = {}
    for activity in figures["activities"]:
        by_kind.setdefault(activity["kind"], []).append(activity)
    sentences = []
    for kind, name in KINDS.items():
        held = by_kind.get(kind, [])
        if kind == "lecture" and 0 < len({one["title"] for one in held}) <= 3:
            titles = dict.fromkeys(one["title"] for one in held)
            sentences += [f"举办{text}{sum(one['title'] == text for one in held)}次" for text in titles]
        elif held:
            sentences.append(f"{name}{len(held)}次")
    missing = [name for kind, name in KINDS.items() if kind in ("lecture", "cleanup") and kind not in by_kind]
    if not sentences:
        return f"{teams}本期没有举办讲座和其他活动。"
    came = sum(one["came"] or 0 for one in figures["activities"])
    people = f"，参加居民{came}人次" if came else ""
    none = f"本期没有{'，也没有'.join(missing)}。" if missing else ""
    return f"{teams}本期共{'，'.join(sentences)}{people}。{none}"


def _problems(figures: Figures) -> str:
    problems = []
    households = figures["households"]
    if households and figures["reached"] < households:
        problems.append(
            f"仍有{households - figures['reached']}户本期没有走访到，信息收集量还不大，"
            "群众对网格化管理的了解还不够，需要加大宣传力度。"
        )
    shares = [(campaign["met"], campaign["households"], campaign["goal"]) for campaign in figures["campaigns"]]
    # As it is written, in whole per cent: who wanted 90 % and reached 89.97 % has not failed.
    missed = [met for met, of, goal in shares if of and round(100 * met / of) < round(100 * goal)]
    if missed:
        problems.append(f"集中入户走访有{len(missed)}次没有达到预定的入户率。")
    if left := figures["asked"] - figures["struck"]:
        problems.append(f"民情日记中还有{left}条没有解决。")
    if figures["cases_late"]:
        problems.append(f"有{figures['cases_late']}件事件超过时限才办结，部门之间的配合有待加强。")
    if unsettled := figures["disputes"] - sum(figures["disputes_settled"].values()):
        problems.append(f"登记的矛盾纠纷中还有{unsettled}件没有调解成功。")
    if not problems:
        return "从本期记录看没有突出问题。"
    return _lines(*(f"{number}.{text}" for number, text in enumerate(problems, 1)))
