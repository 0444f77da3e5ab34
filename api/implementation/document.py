"""An implementation report as DOCX: the text of its parts with the tables, maps and charts of what was counted.

It is laid out as GB/T 9704-2012 has official documents: A4, a title of 二号, text of 三号 in 仿宋, headings in 黑体, 28
points a line, two characters of indent. The fonts are named, and are those of whoever opens it.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from datetime import date
from typing import TYPE_CHECKING, Any

import numpy as np
from sqlalchemy.orm import Session

from data import buildings, grids, implementation, units
from data.base.access import Actor
from data.implementation import HEADINGS, ImplementationReport, Part, prose
from maps import implementation as pictures
from maps import paper
from maps.campaigns import Shaded
from spatial.datums import reproject

if TYPE_CHECKING:
    from docx.document import Document

_WIDTH_MM = 150
_SONG, _FANG, _HEI = "宋体", "仿宋", "黑体"


def written(session: Session, actor: Actor, report: ImplementationReport) -> bytes:
    """The report as DOCX. Maps show the grids as they lay on its last day."""
    figures = report.figures
    sheet = _Sheet(implementation.title(figures), report)
    maps = _maps(session, actor, report)
    exhibits: dict[Part, Callable[[], None]] = {
        Part.OPENING: lambda: _grids(sheet, figures, maps),
        Part.ARCHIVES: lambda: _groups(sheet, figures),
        Part.VISITS: lambda: _campaigns(sheet, figures, maps),
        Part.SERVICES: lambda: _work(sheet, figures),
    }
    for part in Part:
        if part in HEADINGS:
            sheet.heading(HEADINGS[part])
        for line in (getattr(report, part) or "").splitlines():
            if line.strip():
                sheet.line(line.strip())
        if part in exhibits:
            exhibits[part]()
    sheet.signed(figures["community"], report.counted_at.date())
    return sheet.bytes()


def name(report: ImplementationReport) -> str:
    """What the file is called."""
    return f"{implementation.title(report.figures)}（{report.first_on}至{report.last_on}）.docx"


def _maps(session: Session, actor: Actor, report: ImplementationReport) -> dict[str, Any]:
    """What is drawn: the shape of each grid in metres by id, and those of the buildings."""
    community = units.get(session, actor, report.community_id)
    shapes = grids.shapes(session, community.id, report.last_on)
    metric = reproject(np.array(list(shapes.values()), dtype=object), "EPSG:4326", community.metric_crs)
    houses = np.array(buildings.outlines(session, actor, community.id), dtype=object)
    return {
        "grids": dict(zip(shapes, metric, strict=True)),
        "buildings": list(reproject(houses, "EPSG:4326", community.metric_crs)) if len(houses) else [],
    }


def _grids(sheet: _Sheet, figures: dict[str, Any], maps: dict[str, Any]) -> None:
    if not figures["grids"]:
        return
    rows = [[grid["name"], grid["buildings"], grid["households"], grid["people"]] for grid in figures["grids"]]
    counts = [sum(row[place] for row in rows) for place in (1, 2, 3)]
    whole = [figures["buildings"], figures["households"], figures["people"]]
    rest = [all_ - inside for all_, inside in zip(whole, counts, strict=True)]
    if any(rest):
        rows.append(["未落入网格", *rest])
    sheet.table("网格基本情况", ("网格", "住宅楼（栋）", "户数（户）", "人口（人）"), [*rows, ["合计", *whole]])
    named = {grid["id"]: grid["name"] for grid in figures["grids"]}
    shown = [(geom, named[key]) for key, geom in maps["grids"].items() if key in named]
    if shown:
        sheet.picture("网格分布图", pictures.ground(shown, maps["buildings"]))


def _groups(sheet: _Sheet, figures: dict[str, Any]) -> None:
    if figures["groups"]:
        rows = [(group["name"], group["households"]) for group in figures["groups"]]
        sheet.picture("特殊群体家庭", pictures.bars(rows, "户"))


def _campaigns(sheet: _Sheet, figures: dict[str, Any], maps: dict[str, Any]) -> None:
    named = {grid["id"]: grid["name"] for grid in figures["grids"]}
    for campaign in figures["campaigns"]:
        parts = campaign["grids"]
        days = prose.span(date.fromisoformat(campaign["first"]), date.fromisoformat(campaign["last"]))
        rows = [
            [name, part["households"], part["met"], prose.share(part["met"], part["households"])]
            for name, part in [(named.get(part["id"], "未落入网格"), part) for part in parts] + [("合计", campaign)]
        ]
        sheet.table(f"{days}集中入户走访", ("网格", "户数（户）", "走访到（户）", "入户率"), rows)
        shaded = [
            Shaded(
                maps["grids"][part["id"]],
                named[part["id"]],
                part["met"] / part["households"] if part["households"] else None,
                prose.share(part["met"], part["households"]),
            )
            for part in parts
            if part["id"] in maps["grids"] and part["id"] in named
        ]
        if shaded:
            sheet.picture("各网格入户率", pictures.shares(shaded))
        if campaign["subjects"]:
            asked = [(prose.SUBJECTS[code], count) for code, count in campaign["subjects"]]
            sheet.picture("居民反映的问题", pictures.bars(asked, "条"))


def _work(sheet: _Sheet, figures: dict[str, Any]) -> None:
    held: dict[str, list[int]] = {}
    for activity in figures["activities"]:
        row = held.setdefault(activity["kind"], [0, 0])
        row[0] += 1
        row[1] += activity["came"] or 0
    if held:
        rows = [[prose.KINDS[kind], *held[kind]] for kind in prose.KINDS if kind in held]
        sheet.table("特色服务队活动", ("活动", "次数（次）", "参加（人次）"), rows)


class _Sheet:
    """The document that is being written."""

    def __init__(self, title: str, report: ImplementationReport) -> None:
        import docx
        from docx.shared import Mm, Pt

        self.document: Document = docx.Document()
        self.tables = self.pictures = 0
        about = self.document.core_properties
        about.title, about.author, about.language, about.comments = title, report.figures["community"], "zh-CN", ""
        about.created = about.modified = report.counted_at.replace(tzinfo=None)
        section = self.document.sections[0]
        section.page_width, section.page_height = Mm(210), Mm(297)
        section.top_margin, section.bottom_margin, section.left_margin, section.right_margin = (
            Mm(mm) for mm in (37, 35, 28, 26)
        )
        normal = self.document.styles["Normal"]
        self._font(normal, _FANG, 16)
        normal.paragraph_format.line_spacing = Pt(28)
        normal.paragraph_format.space_after = Pt(0)
        for style, font, size in (("Title", _SONG, 22), ("Heading 1", _HEI, 16), ("Heading 2", _FANG, 16)):
            self._font(self.document.styles[style], font, size, bold=style != "Heading 1")
            self.document.styles[style].paragraph_format.space_before = Pt(0)
            self.document.styles[style].paragraph_format.space_after = Pt(0)
        self._font(self.document.styles["Caption"], _HEI, 12)
        self._page_numbers(section.footer.paragraphs[0])
        heading = self._centred(title, "Title")
        for border in heading.style.element.xpath(".//w:pBdr"):
            border.getparent().remove(border)
        heading.paragraph_format.line_spacing = Pt(36)
        self._centred(f"（{implementation.period(report.figures)}）")

    def heading(self, text: str) -> None:
        """A heading of a part."""
        self._indented(text, "Heading 1")

    def line(self, text: str) -> None:
        """A paragraph; one such as ``1.工作职责``, short and without a stop, is a heading."""
        short = len(text) < 30 and text[:1].isdigit() and text[1:2] in ".．、" and not text.endswith(("。", "：", "；"))
        self._indented(text, "Heading 2" if short else "Normal")

    def table(self, title: str, heads: Sequence[str], rows: Sequence[Sequence[Any]]) -> None:
        """A table with its number and title above it; its heads are repeated on every page."""
        from docx.enum.table import WD_TABLE_ALIGNMENT
        from docx.enum.text import WD_ALIGN_PARAGRAPH
        from docx.oxml import OxmlElement
        from docx.shared import Pt

        self.tables += 1
        self._centred(f"表{self.tables}　{title}", "Caption").paragraph_format.keep_with_next = True
        table = self.document.add_table(1, len(heads), style="Table Grid")
        table.alignment = WD_TABLE_ALIGNMENT.CENTER
        repeated = OxmlElement("w:tblHeader")
        table.rows[0]._tr.get_or_add_trPr().append(repeated)
        for number, row in enumerate((heads, *rows)):
            cells = table.rows[0].cells if number == 0 else table.add_row().cells
            for place, (cell, value) in enumerate(zip(cells, row, strict=True)):
                paragraph = cell.paragraphs[0]
                paragraph.paragraph_format.line_spacing = Pt(20)
                paragraph.alignment = (
                    WD_ALIGN_PARAGRAPH.CENTER if place == 0 or number == 0 else WD_ALIGN_PARAGRAPH.RIGHT
                )
                run = paragraph.add_run(str(value))
                run.font.size, run.bold = Pt(12), number == 0
                paragraph.paragraph_format.keep_with_next = number < len(rows)
        self.document.add_paragraph()

    def picture(self, title: str, svg: str) -> None:
        """A drawing with its number and title below it."""
        from docx.shared import Mm

        self.pictures += 1
        paragraph = self._centred("")
        paragraph.paragraph_format.line_spacing = 1.0
        paragraph.paragraph_format.keep_with_next = True
        shape = paragraph.add_run().add_picture(io.BytesIO(paper.png(svg, _WIDTH_MM)), width=Mm(_WIDTH_MM))
        shape._inline.docPr.set("descr", title)
        self._centred(f"图{self.pictures}　{title}", "Caption")

    def signed(self, community: str, day: date) -> None:
        """Who reports, and when."""
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        for text in ("", community, f"{day.year}年{day.month}月{day.day}日"):
            self.document.add_paragraph(text).alignment = WD_ALIGN_PARAGRAPH.RIGHT

    def bytes(self) -> bytes:
        """The file."""
        target = io.BytesIO()
        self.document.save(target)
        return target.getvalue()

    def _centred(self, text: str, style: str = "Normal") -> Any:
        from docx.enum.text import WD_ALIGN_PARAGRAPH

        paragraph = self.document.add_paragraph(text, style=style)
        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        return paragraph

    def _indented(self, text: str, style: str) -> None:
        from docx.shared import Pt

        self.document.add_paragraph(text, style=style).paragraph_format.first_line_indent = Pt(32)

    @staticmethod
    def _font(style: Any, font: str, size: int, *, bold: bool = False) -> None:
        from docx.oxml.ns import qn
        from docx.shared import Pt, RGBColor

        style.font.name, style.font.size, style.font.bold, style.font.italic = font, Pt(size), bold, False
        style.font.color.rgb = RGBColor(0, 0, 0)
        fonts = style.element.get_or_add_rPr().get_or_add_rFonts()
        for theme in ("asciiTheme", "hAnsiTheme", "eastAsiaTheme", "cstheme"):
            fonts.attrib.pop(qn(f"w:{theme}"), None)
        for script in ("ascii", "hAnsi", "eastAsia"):
            fonts.set(qn(f"w:{script}"), font)

    @staticmethod
    def _page_numbers(paragraph: Any) -> None:
        from docx.enum.text import WD_ALIGN_PARAGRAPH
        from docx.oxml import OxmlElement
        from docx.oxml.ns import qn

        paragraph.alignment = WD_ALIGN_PARAGRAPH.CENTER
        field = OxmlElement("w:fldSimple")
        field.set(qn("w:instr"), "PAGE")
        paragraph._p.append(field)
