"""The pages as files: they compile, load nothing from outside, stay small, and speak both languages."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from babel.messages.extract import extract_from_file

from data.base import language
from maps import offline

ROOT = Path(__file__).resolve().parents[2]
TEMPLATES = ROOT / "api"
STATIC = ROOT / "api" / "static"
PAGES = sorted(path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html"))
ENVIRONMENT = jinja2.Environment(
    loader=jinja2.FileSystemLoader([TEMPLATES, TEMPLATES / "base"]), extensions=["jinja2.ext.i18n"], autoescape=True
)


_ADDRESS = re.compile(r"(?:https?:|wss?:)?//[\w.{}-]+\.[\w{}.-]+[^\s\"'<>`\\)]*", re.IGNORECASE)


def outside_addresses(text: str) -> list[str]:
    """The addresses of other servers in a source of ours, but for the names of XML's vocabularies."""
    return [address for address in _ADDRESS.findall(text) if not address.startswith("http://www.w3.org/")]


def text_of(page: str) -> str:
    return (TEMPLATES / page).read_text("utf-8")


def sprite() -> set[str]:
    return set(re.findall(r'<symbol id="([\w-]+)"', (STATIC / "vendor" / "icons.svg").read_text("utf-8")))


def messages() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for _, _, message in ENVIRONMENT.extract_translations(text_of(page), gettext_functions=("_",)):
            yield page, message if isinstance(message, str) else str(message[0])
    for path in sorted((ROOT / "maps").glob("*.py")):
        for _, message, *_rest in extract_from_file("python", path, keywords={"_": None}):
            yield path.name, str(message)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_compiles(page: str) -> None:
    ENVIRONMENT.get_template(page)


@pytest.mark.parametrize("page", PAGES)
def test_a_page_loads_nothing_from_outside(page: str) -> None:
    assert outside_addresses(text_of(page)) == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_inline_style_or_handler_that_the_policy_would_block(page: str) -> None:
    assert not re.search(r"<[^>]*\s(?:style|on\w+)=", text_of(page))


@pytest.mark.parametrize("page", PAGES)
def test_every_form_that_changes_something_carries_the_token_against_forgery(page: str) -> None:
    if page.startswith("reports/") or page == "plans/residents.html":
        return  # residents have no session that somebody could act in; the origin of what they send is checked
    for form in re.findall(r'<form[^>]*method="post"[^>]*>.*?</form>', text_of(page), re.DOTALL):
        assert 'name="csrf_token"' in form or 'id="bulk"' in form, form[:120]


def test_every_sentence_of_pages_and_maps_is_translated() -> None:
    known = language.catalog("zh")
    missing = sorted({f"{place}: {message}" for place, message in messages() if message not in known})
    assert missing == []


def test_translations_keep_the_values_of_their_sentences() -> None:
    known = language.catalog("zh")
    for place, message in messages():
        assert set(re.findall(r"\{(\w+)\}", message)) == set(re.findall(r"\{(\w+)\}", known[message])), place


def test_every_icon_that_a_page_names_is_in_the_sprite() -> None:
    named = set()
    for page in PAGES:
        named |= set(re.findall(r'icon\("([\w-]+)"', text_of(page)))
        named |= set(re.findall(r'"icon": "([\w-]+)"', text_of(page)))
    for script in (STATIC / "js").rglob("*.js"):
        named |= set(re.findall(r'icon\("([\w-]+)"', script.read_text("utf-8")))
    assert named <= sprite()


def test_every_word_that_a_script_says_is_on_the_page() -> None:
    spoken = set()
    for script in (STATIC / "js").rglob("*.js"):
        for first in re.findall(r"\bword\(([^,)]*)", script.read_text("utf-8")):
            spoken |= set(re.findall(r'"([a-z_]+)"', first))

    def words(text: str) -> set[str]:
        return set(re.findall(r'(?:^  |[{,]\s*)"(\w+)": _\(', text, re.MULTILINE))

    own = [re.findall(r"<script[^>]*data-words>(.*?)</script>", text_of(page), re.DOTALL) for page in PAGES]
    shared = words(text_of("base/_words.html"))
    assert spoken <= shared.union(*(words(text) for texts in own for text in texts))
    assert shared <= spoken


def test_the_scripts_name_no_other_server() -> None:
    for script in (STATIC / "js").rglob("*.js"):
        assert outside_addresses(re.sub(r"^\s*//.*$", "", script.read_text("utf-8"), flags=re.MULTILINE)) == []


def loaded(script: Path) -> set[Path]:
    """A script and all that it imports."""
    names = re.findall(r'^import (?:[^"]* from )?"([^"]+)";', script.read_text("utf-8"), re.MULTILINE)
    return {script}.union(*(loaded((script.parent / name).resolve()) for name in names))


def test_the_first_view_of_the_map_is_at_most_300_kb() -> None:
    named = re.findall(r"static\('([\w./-]+)'\)", text_of("base/base.html") + text_of("map/map.html"))
    files = {STATIC / name for name in named if (STATIC / name).suffix in {".css", ".js", ".svg"}}
    files |= {STATIC / "vendor" / name for name in ("leaflet.js", "leaflet.css", "protomaps-leaflet.js")}
    files |= loaded(STATIC / "js" / "shell.js") | loaded(STATIC / "js" / "map" / "overview.js")
    page = 24_000  # the map page itself with forty categories, measured compressed at under a third of this
    total = page + sum(len(gzip.compress(path.read_bytes(), 6)) for path in files)
    assert len(files) > 25
    assert total <= 300_000


@pytest.mark.parametrize("name", sorted(set(offline.FILES.values())))
def test_every_local_file_that_a_map_may_ask_for_is_there(name: str) -> None:
    assert (STATIC / "vendor" / name).stat().st_size > 1000
