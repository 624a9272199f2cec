"""The Python side of the JupyterLab extension: desks, a notebook's accounts, result cards."""

from __future__ import annotations

import gc
import importlib
import json
import re
import threading
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from ipywidgets.widgets.widget import _instances
from jsonschema import Draft202012Validator
from jupyterlab_server.translation_utils import (
    DEFAULT_SCHEMA_SELECTORS,
    get_language_pack,
    get_language_packs,
)

import margin_widgets as mw
from margin_widgets import lab
from margin_widgets.account import formatting as fmt
from margin_widgets.account.comparison import Comparison
from margin_widgets.account.document import DocumentError, dumps, loads, schema
from margin_widgets.account.report_card import MIME
from margin_widgets.account.status_line import status_line
from margin_widgets.account.taking_over import take_over
from margin_widgets.lab import desk as desks
from margin_widgets.lab import notebook
from margin_widgets.widgets.parsing import parse_number
from scripts import lab_sources
from tests.lab.lab_page import add_catalogues, add_language_pack

ROOT = Path(__file__).resolve().parent.parent
SOURCES = ROOT / "frontend" / "lab"


def text_of(account: mw.Account) -> str:
    return dumps(account.state)


REF2 = text_of(mw.presets.ref2())


@pytest.fixture(autouse=True)
def no_desk_left() -> Iterator[None]:
    yield
    for one in list(desks._DESKS.values()):
        one.close()
    lab.Options(number_format="1,234.56").apply()


class TestDesk:
    def test_opens_without_touching_the_text(self) -> None:
        text = json.dumps(json.loads(REF2))
        desk = lab.open_document("a", text)
        assert desk.document == text
        assert desk.problem == {}
        assert desk.kept == ""

    def test_an_edit_is_in_the_text_and_undo_brings_the_written_text_back(self) -> None:
        text = json.dumps(json.loads(REF2))
        desk = lab.open_document("a", text)
        assert desk.account is not None
        desk.account.marks["BTCUSDT"] = 90_000
        assert loads(desk.document).to_dict() == desk.account.to_dict()
        assert desk.document != text
        desk.account.undo()
        assert desk.document == text

    def test_text_is_one_undoable_edit_of_the_same_positions(self) -> None:
        desk = lab.open_document("a", REF2)
        account = desk.account
        assert account is not None
        bitcoin, revision = account.positions["BTCUSDT"], account.revision
        other = mw.presets.ref2()
        other.positions["BTCUSDT"].quantity = 0.75
        other.collateral["USDT"] = 20_000
        desk.document = text_of(other)
        assert account.revision == revision + 1
        assert account.positions["BTCUSDT"] is bitcoin
        assert (bitcoin.quantity, account.collateral["USDT"]) == (0.75, 20_000)
        assert desk.document == text_of(other)
        account.undo()
        assert (bitcoin.quantity, account.collateral["USDT"]) == (0.5, 10_000)
        assert loads(desk.document).to_dict() == mw.presets.ref2().to_dict()

    @pytest.mark.parametrize(
        ("text", "problem"),
        [
            ("", {"kind": "damaged", "path": "", "line": 1, "column": 1}),
            ('{\n "a": [,]}', {"kind": "damaged", "path": "", "line": 2, "column": 8}),
            (REF2.replace('"schema_version": 2', '"schema_version": 9'), {"kind": "newer"}),
            (REF2.replace('"quantity": 5.0', '"quantity": 0'), {"kind": "refused"}),
            ("[]", {"kind": "refused", "path": "$"}),
        ],
    )
    def test_unsound_text_is_told_and_kept(self, text: str, problem: dict[str, Any]) -> None:
        desk = lab.open_document("a", text)
        assert desk.problem | problem == desk.problem
        assert desk.problem["message"]
        assert desk.document == text
        assert desk.account is None
        desk.document = REF2
        assert desk.problem == {}
        assert desk.account is not None
        assert desk.children

    def test_while_the_text_is_unsound_edits_from_code_do_not_overwrite_it(self) -> None:
        desk = lab.open_document("a", REF2)
        assert desk.account is not None
        desk.document = "{"
        desk.account.marks["BTCUSDT"] = 90_000
        assert desk.document == "{"
        assert desk.problem["kind"] == "damaged"

    def test_refused_text_leaves_the_account_as_it_was(self) -> None:
        desk = lab.open_document("a", REF2)
        assert desk.account is not None
        revision = desk.account.revision
        desk.document = REF2.replace('"leverage": 10.0', '"leverage": -1')
        assert desk.problem["path"] == "$.positions[0].leverage"
        assert desk.account.revision == revision

    def test_opened_anew_it_keeps_edits_that_were_not_saved(self) -> None:
        desk = lab.open_document("a", REF2)
        assert desk.account is not None
        desk.account.marks["BTCUSDT"] = 90_000
        unsaved = desk.document
        assert lab.open_document("a", REF2) is desk
        assert (desk.kept, desk.document) == (unsaved, REF2)
        assert desk.account.marks["BTCUSDT"] == 100_000

    def test_opened_anew_with_the_same_content_it_keeps_nothing(self) -> None:
        desk = lab.open_document("a", REF2)
        lab.open_document("a", json.dumps(json.loads(REF2)))
        assert desk.kept == ""

    def test_follows_a_rename(self) -> None:
        desk = lab.open_document("a", REF2)
        desk.path = "b"
        assert lab.open_document("b", REF2) is desk
        assert lab.open_document("a", REF2) is not desk

    def test_status_follows(self) -> None:
        desk = lab.open_document("a", REF2)
        assert desk.account is not None
        texts = [one["text"] for one in desk.status["modes"]]
        assert texts == ["−9.09\xa0%", "−13.73\xa0%"]
        desk.account.marks["ETHUSDT"] = 3_000
        assert desk.status["modes"][0]["state"] == "below maintenance"

    def test_says_what_was_assumed(self) -> None:
        account = mw.presets.hedged_pair()
        document = account.to_dict()
        document["venue"]["date"] = "2001-01-01"
        desk = lab.open_document("a", json.dumps(document))
        assert "2001-01-01" in desk.notes[0]
        desk.document = text_of(account)
        assert desk.notes == []

    def test_closing_frees_everything(self) -> None:
        lab.open_document("warm", REF2).close()
        gc.collect()
        before = len(_instances)
        for _ in range(3):
            lab.open_document("a", REF2).close()
        gc.collect()
        assert len(_instances) == before
        assert not desks._DESKS

    def test_threads_may_edit_and_type_at_once(self) -> None:
        desk = lab.open_document("a", REF2)
        account = desk.account
        assert account is not None
        failures: list[BaseException] = []

        def act(step: Any) -> None:
            try:
                for number in range(40):
                    step(number)
            except BaseException as error:  # noqa: BLE001 - told in the test's own thread
                failures.append(error)

        def drag(number: int) -> None:
            account.marks["BTCUSDT"] = 100_000 - number

        def reopen(number: int) -> None:
            lab.open_document("a", desk.document)

        threads = [threading.Thread(target=act, args=(step,)) for step in (drag, reopen)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert not failures
        assert loads(desk.document).to_dict() == account.to_dict()


class TestOptions:
    @pytest.mark.parametrize("example", fmt.GROUPS)
    def test_numbers_are_written_as_chosen_and_read_back(self, example: str) -> None:
        fmt.write_like(example)
        shown = example.replace(" ", "\N{NARROW NO-BREAK SPACE}")
        assert fmt.amount(1234.56) == shown
        assert fmt.amount(-1234.56) == fmt.MINUS + shown

        @given(st.floats(-1e12, 1e12).filter(lambda x: x == 0 or abs(x) > 1e-3))
        def reads_back(value: float) -> None:
            assert parse_number("quantity", fmt.plain(value)) == pytest.approx(value, rel=1e-9)
            assert parse_number("quantity", fmt.amount(value)) == round(value, 2)

        reads_back()

    def test_every_form_of_the_settings_is_known(self) -> None:
        schema = json.loads((SOURCES / "schema" / "plugin.json").read_text("utf-8"))
        settings = schema["properties"]
        assert settings["numbers"]["enum"] == list(fmt.GROUPS)
        rate = settings["previewRate"]
        for convention in settings["ratio"]["enum"]:
            for preview_rate in (rate["minimum"], rate["maximum"]):
                desk = lab.open_document(
                    "a", REF2, {"convention": convention, "preview_rate": preview_rate}
                )
                dashboard = desk.children[0]
                assert dashboard.ratio.convention == convention
                assert dashboard.marks.marks.interval == pytest.approx(1000 / preview_rate)
                assert dashboard.equity._preview._interval == pytest.approx(1 / preview_rate)
        defaults = {name: one["default"] for name, one in settings.items()}
        assert lab.Options() == lab.Options(defaults["ratio"], defaults["previewRate"], None)

    def test_a_desk_shows_and_takes_numbers_as_chosen(self) -> None:
        desk = lab.open_document("a", REF2, {"number_format": "1’234.56"})
        dashboard = desk.children[0]
        cells = dashboard.positions.table.rows[0]["text"]
        assert cells["entry_price"] == "100’000"
        assert dashboard.marks.marks.group == "’"
        assert cells["cross"] == "80’804.02"
        dashboard.marks._receive({"type": "commit_text", "symbol": "BTCUSDT", "text": "90’500.5"})
        assert desk.account is not None
        assert desk.account.marks["BTCUSDT"] == 90_500.5
        assert '"BTCUSDT": 90500.5' in desk.document  # a document is written as ever

    def test_chosen_anew_the_account_and_its_history_stay(self) -> None:
        desk = lab.open_document("a", REF2)
        account, first = desk.account, desk.children[0]
        assert account is not None
        account.marks["BTCUSDT"] = 90_000
        edited, before = desk.document, len(_instances)
        for convention in ("falling", "venue", "falling"):
            desk.options = {"convention": convention, "number_format": "1234.56"}
        gc.collect()
        assert desk.account is account
        assert desk.document == edited
        assert desk.children[0] is not first
        assert desk.children[0].ratio.convention == "falling"
        assert len(_instances) == before
        account.undo()
        assert desk.document == REF2

    def test_refuses_in_words(self) -> None:
        for options, words in (
            ({"convetnion": "venue"}, "convention"),
            ({"preview_rate": 31}, "at most 30"),
            ({"number_format": "1.234,56"}, "none of 1,234.56"),
        ):
            with pytest.raises(ValueError, match=words):
                lab.open_document("a", REF2, options)


class TestNotebook:
    @pytest.fixture
    def names(self, monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
        names: dict[str, Any] = {}
        monkeypatch.setattr(notebook, "_names", lambda: names)
        return names

    def test_lists_each_account_once(self, names: dict[str, Any]) -> None:
        account = mw.presets.ref2()
        dashboard = mw.Dashboard(mw.presets.inverse())
        names.update(
            _1=account,
            book=account,
            again=account,
            shown=dashboard,
            on_it=mw.Dashboard(account),
            x=1,
        )
        assert [one["expression"] for one in lab.accounts()] == ["book", "shown.account"]
        assert lab.accounts()[0]["summary"] == repr(account)
        assert lab.open_account("shown.account").account is dashboard.account
        dashboard.close()
        names["on_it"].close()

    def test_opens_the_living_account(self, names: dict[str, Any]) -> None:
        names["book"] = mw.presets.ref2()
        desk = lab.open_account("book")
        assert desk.account is names["book"]
        assert lab.open_account("book") is desk
        names["book"].marks["BTCUSDT"] = 90_000
        assert loads(desk.document).to_dict() == names["book"].to_dict()
        shown = lab.open_account("book", {"convention": "venue", "number_format": "1234.56"})
        assert shown.children[0].ratio.convention == "venue"
        assert fmt.group() == ","  # how a notebook writes numbers is its own affair
        names["book"] = mw.presets.inverse()
        assert lab.open_account("book").account is names["book"]
        lab.close_account("book")
        assert not desks._DESKS

    def test_refuses_what_is_not_an_account(self, names: dict[str, Any]) -> None:
        names["evil"] = "__import__('os')"
        for expression in ("evil", "nothing", "__import__('os').getcwd()"):
            with pytest.raises(KeyError, match="no account"):
                lab.open_account(expression)

    def test_code_builds_the_account(self) -> None:
        scope: dict[str, Any] = {}
        exec(lab.account_code(REF2), scope)
        assert scope["account"].to_dict() == mw.presets.ref2().to_dict()


def test_taking_over_keeps_both_legs_of_a_symbol() -> None:
    def hedged(long: float, short: float) -> mw.Account:
        return mw.Account(
            "binance-usdm",
            {"USDT": 10_000},
            [mw.Position("BTCUSDT", long, 100_000), mw.Position("BTCUSDT", -short, 101_000)],
        )

    account = hedged(1, 2)
    legs = list(account.positions)
    take_over(account, hedged(3, 4).state)
    assert list(account.positions) == legs
    assert [row.quantity for row in legs] == [3, -4]


@given(st.sampled_from(["ref2", "hedged_pair", "bitcoin_on_bitcoin", "multi_asset", "inverse"]))
def test_taking_over_makes_the_same_account(name: str) -> None:
    account, other = mw.presets.ref2(), getattr(mw.presets, name)()
    take_over(account, other.state)
    assert account.to_dict() == other.to_dict()
    assert account.cross.equity == other.cross.equity


def test_status_in_words_where_there_is_no_number() -> None:
    empty = mw.Account(collateral={"USDT": 1})
    assert {one.state for one in status_line(empty).modes} == {"empty"}
    calm = status_line(mw.presets.exchange_account())
    told = {one.mode: one for one in calm.modes}
    shock = mw.presets.exchange_account().cross.liquidation_shock
    assert (told["cross"].state == "no liquidation") == (shock is None)


class TestCards:
    def test_carries_the_numbers_of_both_modes(self) -> None:
        account = mw.presets.ref2()
        bundle = account.report_card()._repr_mimebundle_()
        assert set(bundle) == {MIME, "text/html", "text/plain"}
        card = json.loads(json.dumps(bundle[MIME]))
        cells = {row[0]: row[1:] for row in card["tables"][0]["rows"]}
        assert cells["equity"] == ["10,000.00", "10,000.00"]
        price = account.cross.positions["BTCUSDT"].liquidation_price
        assert card["tables"][1]["rows"][0][-1] == f"{price:,.2f}"
        assert [len(one["svg"]) > 1000 for one in card["pictures"]] == [True, True]

    def test_symbols_are_text(self) -> None:
        account = mw.presets.ref2()
        account.name = "<b>bold</b><script>x</script>"
        card = account.report_card()
        found: list[str] = []

        class Tags(HTMLParser):
            def handle_starttag(self, tag: str, attrs: Any) -> None:
                found.append(tag)

        Tags().feed(card.html + "".join(svg for _, svg in card.pictures))
        assert "script" not in found
        assert card.to_dict()["title"] == account.name

    def test_an_account_without_positions(self) -> None:
        card = mw.Account(collateral={"USDT": 5}).report_card()
        assert card.pictures == ()
        assert len(card.tables) == 1

    def test_two_states(self) -> None:
        before, now = mw.presets.ref2(), mw.presets.ref2()
        now.positions["BTCUSDT"].leverage = 20
        card = Comparison(before, now).report_card()
        assert "BTCUSDT leverage 10 → 20" in card.text
        assert [title for title, *_ in card.tables] == ["Isolated", "Cross"]
        assert len(card.pictures) == 2


class TestSources:
    def test_what_follows_from_the_package_is_up_to_date(self) -> None:
        for file, content in lab_sources.sources().items():
            assert file.read_text(encoding="utf-8") == content, "run scripts/lab_sources.py"

    def test_documents_to_start_from_obey_the_schema(self) -> None:
        for preset in lab_sources.start_documents():
            Draft202012Validator(schema()).validate(preset["document"])
            loads(json.dumps(preset["document"]))

    def test_versions_agree(self) -> None:
        for file in ("package.json", "package-lock.json"):
            assert json.loads((SOURCES / file).read_text())["version"] == mw.__version__
        assert catalogue()[""]["version"] == mw.__version__

    def test_loads_in_the_oldest_jupyterlab_that_is_supported(self) -> None:
        # What the build would otherwise ask for is the version it was built with.
        package = json.loads((SOURCES / "package.json").read_text())
        shared = package["jupyterlab"]["sharedPackages"]
        asked = {
            name: wanted
            for name, wanted in package["dependencies"].items()
            if name.startswith("@jupyterlab/")
        }
        assert asked["@jupyterlab/application"] == "^4.4.0"
        assert {name: shared[name]["requiredVersion"] for name in asked} == asked
        entry = next((ROOT / "margin_widgets" / "labextension" / "static").glob("remoteEntry.*"))
        built = set(
            re.findall(
                r'shareKey:"(@jupyterlab/[\w-]+)".*?requiredVersion:"([^"]+)"', entry.read_text()
            )
        )
        assert built
        assert built <= set(asked.items())

    def test_every_word_has_its_german(self) -> None:
        words = set()
        for file in SOURCES.glob("src/*.ts"):
            source = file.read_text(encoding="utf-8")
            words |= {
                json.loads(one)
                for one in re.findall(r'trans\s*\.__\(\s*("(?:[^"\\]|\\.)*")', source)
            }
            # A word put together at run time could not be found here.
            calls = len(re.findall(r"\btrans\s*\.__\(", source))
            plain = len(re.findall(r'\btrans\s*\.__\(\s*"', source))
            assert calls - plain == source.count("trans.__(one.title)") + source.count(
                "trans.__(CATEGORY)"
            ), file.name
        words |= {one["title"] for one in lab_sources.start_documents()}
        assert len(words) > 50
        words |= settings_words()
        german = catalogue()
        del german[""]
        assert set(german) == words
        for word, (said,) in german.items():
            assert re.findall(r"%\d", word) == re.findall(r"%\d", said)

    def test_colours_are_the_themes(self) -> None:
        sheet = (SOURCES / "style" / "index.css").read_text()
        assert not re.search(r"#[0-9a-f]{3,8}\b|\brgb|\bhsl", sheet, re.IGNORECASE)
        for name in re.findall(r"var\((--[\w-]+)", sheet):
            assert name.startswith("--jp-")

    def test_no_address_is_kept_with_the_packages(self) -> None:
        lock = json.loads((SOURCES / "package-lock.json").read_text())
        assert len(lock["packages"]) > 100
        assert not [name for name, one in lock["packages"].items() if "resolved" in one]

    def test_jupyterlab_hands_the_words_out_with_its_own_language_pack_only(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        add_catalogues(tmp_path)
        monkeypatch.syspath_prepend(tmp_path)
        offered = "de_DE" in get_language_packs()[0]
        assert ("margin_widgets" in get_language_pack("de_DE")[0]) == offered
        add_language_pack(tmp_path, "de_DE")
        importlib.invalidate_caches()
        assert "de_DE" in get_language_packs()[0]
        assert get_language_pack("de_DE")[0]["margin_widgets"] == catalogue()


def settings_words() -> set[str]:
    """Return what JupyterLab takes for words in the settings, each with its context."""
    found = set()

    def walk(part: dict[str, Any], place: str) -> None:
        for name, one in part.items():
            inner = f"{place}/{name}"
            if isinstance(one, dict):
                walk(one, inner)
            elif isinstance(one, str):
                for pattern, context in DEFAULT_SCHEMA_SELECTORS.items():
                    if re.fullmatch(f"/{pattern}", inner):
                        found.add(f"{context}\x04{one}")

    settings = json.loads((SOURCES / "schema" / "plugin.json").read_text("utf-8"))
    # Or the server would look for them among JupyterLab's own.
    assert settings["jupyter.lab.internationalization"] == {"domain": "margin_widgets"}
    walk(settings, "")
    assert len(found) == 3 + 2 * len(settings["properties"])
    return found


def catalogue() -> dict[str, Any]:
    folder = ROOT / "margin_widgets" / "locale" / "de_DE" / "LC_MESSAGES"
    found: dict[str, Any] = json.loads((folder / "margin_widgets.json").read_text("utf-8"))
    return found


def test_documents_refuse_in_words() -> None:
    with pytest.raises(DocumentError):
        lab.account_code("{")
