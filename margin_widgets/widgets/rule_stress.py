"""The venue's rules made harsher or milder, beside the venue's own, and taken over if wanted."""

from __future__ import annotations

import re
from collections.abc import Mapping
from html import escape
from typing import Any

from traitlets import Bool, Instance

from margin_widgets.account import Account
from margin_widgets.account import formatting as fmt
from margin_widgets.account.comparison import MODES, Compared, Comparison
from margin_widgets.account.rule_stress import (
    POLICIES,
    RESIDUALS,
    SCALES,
    Stress,
    scaled_table,
    stress_sentence,
)
from margin_widgets.venues import RuleError, RuleSet
from margin_widgets.venues.tables import Bands, Tier, TierTable, haircut_bands, tier_table
from margin_widgets.widgets.editing import REFUSALS, guarded, reason
from margin_widgets.widgets.explanation_box import ExplanationBox
from margin_widgets.widgets.frontend import Styled, Table
from margin_widgets.widgets.markup import MODE_TITLES, button, chip, figure
from margin_widgets.widgets.number_slider import NumberSlider
from margin_widgets.widgets.parsing import parse_block, parse_number
from margin_widgets.widgets.picture import choice, field
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.static_twin import StaticTwin
from margin_widgets.widgets.together import Column, Row

_KEPT = 50
"""Applied rules that are remembered, so that undo and redo find the venue's own again."""
_NEXT_FLOOR = 100_000.0
"""Floor of a second tier that is added; a further one begins at twice the last floor."""
_ROW = re.compile(r"row (\d+)")
_FIGURES = ("liquidation_shock", "maintenance_margin", "margin_balance", "margin_ratio")
_TIER_COLUMNS: tuple[dict[str, Any], ...] = (
    {"field": "tier", "title": "Tier", "kind": "readonly", "align": "left"},
    {"field": "floor", "title": "From", "kind": "number", "hint": "amount where the tier begins"},
    {"field": "rate", "title": "Rate, %", "kind": "number", "hint": "maintenance rate above it"},
    {"field": "own", "title": "Venue's own", "kind": "readonly", "hint": "the venue's rate there"},
    {"field": "applied", "title": "Applied", "kind": "readonly", "hint": "after scaling"},
)
_TIER_ACTIONS = (
    {"action": "add", "label": "Add tier", "needs_row": False},
    {"action": "delete", "label": "Delete", "needs_row": True},
)
_CUT_COLUMNS: tuple[dict[str, Any], ...] = (
    {"field": "asset", "title": "Asset", "kind": "readonly", "align": "left"},
    {"field": "own", "title": "Own haircut", "kind": "readonly", "hint": "without the stress"},
    {
        "field": "haircut",
        "title": "Stressed, %",
        "kind": "number",
        "hint": "share that does not count as margin; empty: as it is",
    },
)


class RuleStress(StaticTwin):
    """Edit tiers, haircuts, maintenance, fees and liquidation beside the venue's own values.

    Both results stand side by side; nothing of the account changes until the stressed rules are
    applied.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; the tiers of the selected position's symbol are edited.
    active : bool
        Whether it follows edits from the start.

    Attributes
    ----------
    stress : Stress
        What is changed; may be assigned.
    base : RuleSet
        The venue's own rules: those of the account, without what was applied here.
    found : Comparison
        The account under both.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> part = mw.RuleStress(mw.presets.ref2())
    >>> part.stress = mw.Stress(maintenance_scale=2)
    >>> part.found.get("isolated", "liquidation_price", "BTCUSDT").now_text
    '90,909.09'
    >>> part.close()
    """

    active = Bool(True, help="whether the part follows edits; it catches up when set")
    stress = Instance(Stress, (), help="what is changed in the venue's rules")

    def __init__(
        self, account: Account, selection: Selection | None = None, *, active: bool = True
    ) -> None:
        self.account = account
        self.selection = selection or Selection()
        self.base: RuleSet = account.venue
        self.found = Comparison(account, account)
        self._books = account.books
        # Rules applied here, with the venue's own and the account's haircuts that gave way.
        self._applied: list[tuple[RuleSet, RuleSet, dict[str, Any]]] = []
        self._gone: dict[str, Any] = {}
        self._tier_drafts: dict[str, list[dict[str, str]]] = {}
        self._cut_drafts: dict[str, str] = {}
        self._typed: dict[str, str] = {}
        self._problem = ""
        low, high = SCALES
        self._head = Styled(label="Stress of the rules")
        self.scale = NumberSlider(
            "Maintenance ×",
            "maintenance scale",
            1.0,
            low=low,
            high=high,
            step=0.05,
            decimals=2,
            preview=self._preview,
            commit=self._set_scale,
            cancel=self.update,
            history=self._travel,
        )
        self._controls = Styled(label="Fees, liquidation and symbol")
        self.tiers = Table(
            columns=[{"align": "right", **one} for one in _TIER_COLUMNS],
            label="Tiers",
            max_height=256,  # half a row shows that there are more
        )
        self.haircuts = Table(
            columns=[{"align": "right", **one} for one in _CUT_COLUMNS],
            label="Haircuts",
            placeholder="No collateral, so no haircuts.",
            max_height=160,
        )
        self._message = Styled(live=True)
        self._sentence = Styled(label="What the stress does", live=True)
        self.view = Styled(label="Results under both rules")
        self.explanation = ExplanationBox()
        cut_head = Styled(html='<h3 class="mw-heading">Haircuts</h3>')
        left = Column([self.scale, self._controls, self.tiers, cut_head, self.haircuts])
        right = Column([self._message, self._sentence, self.view])
        main = Row([left, right])
        main.add_class("mw-main")
        super().__init__([self._head, main, self.explanation])
        self.add_class("mw-panel")
        self.active = active
        for one in (self._head, self._controls, self.view, self.explanation):
            one.on_msg(guarded(self._receive, self._tell))
        self.tiers.on_msg(guarded(self._receive_tiers, self._tell))
        self.haircuts.on_msg(guarded(self._receive_haircuts, self._tell))
        self.follow(account, self._on_revision, "revision")
        self.follow(self.selection, self._on_key, "key")
        self.follow(self, self._on_stress, "stress")
        self.follow(self, self._on_active, "active")
        self.update()

    # -- what is compared ---------------------------------------------------------------------

    @property
    def own(self) -> Account:
        """The account under the venue's own rules."""
        if self.account.venue == self.base:
            return self.account
        state = self.account.state
        cuts = {**state.haircuts, **self._gone}
        return Account.from_state(state.replace(venue=self.base, haircuts=cuts))

    @property
    def applied(self) -> bool:
        """Whether the account is under the stressed rules."""
        return self.account.venue != self.base and self.account.venue == self._rules()

    @property
    def symbol(self) -> str:
        """The symbol whose tiers are edited; empty without positions."""
        positions = self.account.positions
        if self.selection.key in positions:
            return str(positions[self.selection.key].symbol)
        return str(positions[0].symbol) if len(positions) else ""

    @property
    def key(self) -> str:
        """The position whose liquidation price is named."""
        keys = self.account.books.keys
        if self.selection.key in self.account.books.places:
            return str(self.selection.key)
        return keys[0] if keys else ""

    @property
    def _unsound(self) -> list[str]:
        """What is typed but refused: the last sound values are in force in its place."""
        return [
            *(f"tiers of {symbol}" for symbol in self._tier_drafts),
            *(f"haircut of {asset}" for asset in self._cut_drafts),
            *(action.replace("-", " ") for action in self._typed),
        ]

    def _rules(self) -> RuleSet | None:
        try:
            return self.stress.rules(self.base)
        except RuleError:
            return None

    def _follow_rules(self) -> None:
        """Find the venue's own rules again after an edit, an undo or a redo."""
        venue = self.account.venue
        if venue == self.base:
            self._gone = {}
            return
        for rules, base, gone in reversed(self._applied):
            if venue == rules:
                self.base, self._gone = base, gone
                return
        self.base, self._gone = venue, {}

    # -- out ----------------------------------------------------------------------------------

    def update(self, change: Any = None) -> None:
        """Show the account as it is now."""
        if not self.active:
            return
        self._measure(self.stress)
        self.scale.show(self.stress.maintenance_scale)
        self._show_tiers()
        self._show_haircuts()
        self._show()

    def _measure(self, stress: Stress) -> None:
        self._books = self.account.books
        self.found, self._problem = self._measured(stress)

    def _measured(self, stress: Stress) -> tuple[Comparison, str]:
        """The account under both rules, and why the stressed ones cannot be applied."""
        own = self.own
        try:
            return stress.compare(own), ""
        except REFUSALS as error:
            return Comparison(own, own), reason(error)

    def _show(self) -> None:
        self._head.html = self._head_html()
        self._controls.html = self._controls_html()
        said = self._problem or stress_sentence(self.found, self.stress, self.key)
        kind = "mw-error" if self._problem else "mw-caption"
        notes = [*self.stress.notes(self.base, (self.symbol,) if self.symbol else ())]
        if self.account.venue != self.base and not self.applied:
            notes.append(
                "The account is still under the stressed rules applied before; Reset takes it back"
                " to the venue's own"
            )
        if self._unsound:
            notes.append(f"Not in force as typed: {', '.join(self._unsound)}")
        told = "".join(f'<p class="mw-note-line">{escape(note)}</p>' for note in notes)
        self._sentence.html = f'<p class="{kind}">{escape(said)}</p>{told}'
        self.view.html = self._results_html()

    def _head_html(self) -> str:
        unsound = self._unsound
        nothing = self.stress.empty or self._rules() == self.account.venue
        why = f"refused: {', '.join(unsound)}" if unsound else "nothing is stressed"
        why = why if unsound or nothing or self._problem else ""
        if self.applied:
            why = "these rules are in use"
        state = chip("in use", note=True) if self.applied else ""
        can_reset = bool(unsound) or not self.stress.empty or self.account.venue != self.base
        return (
            f'<div class="mw-bar"><h3 class="mw-heading">Stress of the rules of'
            f" {escape(self.base.label)}</h3>{state}"
            '<span class="mw-spacer"></span>'
            f"{button('Apply', 'apply', enabled=not why, title=why or self._code())}"
            f"{button('Reset', 'reset', enabled=can_reset)}"
            f"{button('Undo', 'undo', enabled=self.account.can_undo, title='Ctrl+Z')}</div>"
        )

    def _code(self) -> str:
        return f"{self.stress.code}.apply(account)"

    def _controls_html(self) -> str:
        base, stress = self.base, self.stress
        fee = base.closing_fee_in_maintenance if stress.closing_fee is None else stress.closing_fee
        own_fee = "in" if base.closing_fee_in_maintenance else "not in"
        taker = base.taker_fee if stress.taker_fee is None else stress.taker_fee
        parts = [
            _checkbox("closing-fee", f"Closing fee in maintenance (venue: {own_fee})", fee),
            self._field("Taker fee", "taker-fee", _per_cent(taker), "%"),
            _select(
                "Liquidation closes",
                "liquidation",
                POLICIES,
                stress.liquidation if isinstance(stress.liquidation, str) else "",
                base.liquidation.kind,
            ),
            _select("Residual", "residual", RESIDUALS, stress.residual or "", base.residual),
        ]
        if (stress.residual or base.residual) == "split":
            share = base.residual_share if stress.residual_share is None else stress.residual_share
            parts.append(self._field("Returned", "residual-share", _per_cent(share), "%"))
        code = (
            ""
            if stress.empty
            else '<details data-key="code"><summary class="mw-caption">As Python</summary>'
            f"<pre><code>{escape(self._code())}</code></pre></details>"
        )
        symbols = list(dict.fromkeys(row.symbol for row in self.account.positions))
        which = choice("Tiers of", "symbol", [(s, s) for s in symbols], self.symbol)
        units = {"notional": "notional", "size": "coins", "contracts": "contracts"}
        by = f"Tiers by {units[base.tiers_by]}" if symbols else "No position, so no tiers to edit"
        return (
            f'<div class="mw-row">{"".join(parts)}</div>{code}'
            f'<div class="mw-row"><h3 class="mw-heading">{by}</h3>{which if symbols else ""}</div>'
        )

    def _field(self, label: str, action: str, shown: str, unit: str) -> str:
        return field(label, action, self._typed.get(action, shown), width=7, unit=unit)

    def _results_html(self) -> str:
        if not self.account.books.keys:
            return '<p class="mw-empty">Add a position to see what stressed rules do to it.</p>'
        titles = "".join(
            f'<th scope="colgroup" role="columnheader" colspan="2" class="mw-right">'
            f'<span class="mw-mode-{mode}">{MODE_TITLES[mode]}</span></th>'
            for mode in MODES
        )
        whose = "".join(
            f'<th scope="col" role="columnheader" class="mw-right">{one}</th>'
            for one in ("own", "stressed") * 2
        )
        empty = '<td role="cell"></td>'
        head = f'<tr role="row">{empty}{titles}</tr><tr role="row">{empty}{whose}</tr>'
        rows = "".join(self._row_html(*pair) for pair in self._pairs())
        more = self.found.more
        rest = f'<p class="mw-caption">and {more} more positions</p>' if more else ""
        return (
            '<div class="mw-wide" role="region" tabindex="0" data-key="scroll"'
            ' aria-label="Results under both rules, scrolls sideways">'
            '<table class="mw-data mw-fold" role="table" style="--mw-fold:4"><caption'
            ' class="mw-sr">Figures under the own and the stressed rules</caption>'
            f'<thead role="rowgroup">{head}</thead><tbody role="rowgroup">{rows}</tbody></table>'
            f"</div>{rest}"
        )

    def _pairs(self) -> list[tuple[Compared, Compared]]:
        """Isolated and cross figures: prices of positions, the selected one first, and the rest."""
        isolated, cross = (self.found.of(mode) for mode in MODES)
        pairs = [
            pair
            for pair in zip(isolated, cross, strict=True)
            if pair[0].position or pair[0].name in (*_FIGURES, "equity_after")
        ]
        return sorted(pairs, key=lambda pair: (not pair[0].position, pair[0].position != self.key))

    def _row_html(self, *pair: Compared) -> str:
        title = pair[0].title
        cells = []
        for one in pair:
            path = f"{one.mode}.{f'positions.{one.position}.' if one.position else ''}{one.name}"
            for whose, text in (("before", one.before_text), ("now", one.now_text)):
                shown = (
                    escape(text) if one.name == "equity_after" else figure(text, f"{whose} {path}")
                )
                marked = whose == "now" and one.changed
                told = f"<b>{shown}</b>" if marked else shown
                cells.append(f'<td role="cell" class="mw-right">{told}</td>')
        chosen = f"<b>{escape(title)}</b>" if pair[0].position == self.key != "" else escape(title)
        first = f'<th scope="row" role="rowheader">{chosen}</th>'
        return f'<tr role="row">{first}{"".join(cells)}</tr>'

    def static_html(self) -> str:
        """Both results as static tables."""
        found, problem = self.found, self._problem
        if not self.active:
            found, problem = self._measured(self.stress)
        said = problem or stress_sentence(found, self.stress, self.key)
        return found.html(said, "own rules", "stressed rules")

    # -- the tables ---------------------------------------------------------------------------

    def _table_of(self, symbol: str) -> TierTable:
        table: TierTable = self.stress.tiers.get(symbol) or self.base.tiers.get(symbol, ())
        return table

    def _texts(self, symbol: str) -> list[dict[str, str]]:
        """The rows of a symbol's tiers as they are typed, or would be."""
        if symbol in self._tier_drafts:
            return [dict(row) for row in self._tier_drafts[symbol]]
        return [
            {"floor": f"{tier.floor:.15g}", "rate": _per_cent(tier.rate)}
            for tier in self._table_of(symbol)
        ]

    def _show_tiers(self) -> None:
        symbol = self.symbol
        rows = [self._tier_row(number, row) for number, row in enumerate(self._texts(symbol), 1)]
        _, errors = _read_tiers(symbol, self._texts(symbol)) if rows else (None, [])
        words = f"{symbol} has no tiers: its margin follows another rule." if symbol else ""
        actions = list(_TIER_ACTIONS) if rows else []
        with self.tiers.hold_sync():
            self.tiers.label = f"Tiers of {symbol}" if symbol else "Tiers"
            self.tiers.placeholder = words or "Add a position to edit its tiers."
            _put(self.tiers, "rows", rows)
            _put(self.tiers, "errors", errors)
            _put(self.tiers, "actions", actions)

    def _tier_row(self, number: int, typed: Mapping[str, str]) -> dict[str, Any]:
        own = applied = fmt.NO_VALUE
        try:
            floor = parse_number("floor", typed["floor"])
            rate = _share("rate", typed["rate"])
        except ValueError:
            shown = dict(typed)
        else:
            shown = {"floor": fmt.plain(floor), "rate": _per_cent(rate)}
            reached = [t.rate for t in self.base.tiers.get(self.symbol, ()) if t.floor <= floor]
            own = f"{_per_cent(reached[-1])} %" if reached else own
            scaled = scaled_table((Tier(floor, rate),), self.stress.maintenance_scale)
            applied = f"{_per_cent(scaled[0].rate)} %"
        return {
            "id": str(number),
            "text": {"tier": str(number), **shown, "own": own, "applied": applied},
            "raw": dict(typed),
            "classes": {},
        }

    def _show_haircuts(self) -> None:
        own, stressed = self.found.before, self.stress.haircuts
        rows, errors = [], []
        for asset in self.account.collateral:
            bands = own.state.haircuts.get(asset) or self.base.haircuts.get(asset, ())
            typed = self._cut_drafts.get(asset)
            given = _bands_text(stressed[asset]) if asset in stressed else ""
            text = given if typed is None else typed
            if typed is not None:
                message = _haircut_problem(asset, typed)
                refused = {"row": asset, "field": "haircut", "text": typed, "message": message}
                errors.append(refused)
            rows.append(
                {
                    "id": asset,
                    "text": {
                        "asset": asset,
                        "own": f"{_bands_text(bands)} %",
                        "haircut": text or "as it is",
                    },
                    "raw": {"haircut": text},
                    "classes": {} if text else {"haircut": "mw-auto"},
                }
            )
        with self.haircuts.hold_sync():
            _put(self.haircuts, "rows", rows)
            _put(self.haircuts, "errors", errors)

    # -- in: the stress -----------------------------------------------------------------------

    def _change(self, **parts: Any) -> None:
        """Change the stress; nothing changes if a part is refused."""
        changed = self.stress.replace(**parts)
        if changed == self.stress:
            self.update()
        else:
            self.stress = changed

    def _preview(self, scale: float) -> None:
        """Show the results of a scale while it is dragged; the sentence waits for the release."""
        low, high = SCALES
        self._measure(self.stress.replace(maintenance_scale=min(max(scale, low), high)))
        self.view.html = self._results_html()

    def _set_scale(self, scale: float) -> None:
        self._change(maintenance_scale=scale)

    def _on_stress(self, change: Any) -> None:
        self._message.html = ""
        for symbol in [one for one in self._tier_drafts if one in change.new.tiers]:
            if change.old.tiers.get(symbol) != change.new.tiers[symbol]:
                del self._tier_drafts[symbol]
        for asset in [one for one in self._cut_drafts if one in change.new.haircuts]:
            del self._cut_drafts[asset]
        self.explanation.hide()
        self.update()

    def _on_active(self, change: Any) -> None:
        if change.new:
            self._follow_rules()
            self.update()

    def _on_revision(self, change: Any) -> None:
        self._follow_rules()
        self._message.html = ""
        self.explanation.hide()
        self.update()

    def _on_key(self, change: Any) -> None:
        # Where the selection follows an edit, the figures of before the edit are not shown again.
        if self.active and self._books is self.account.books:
            self._show_tiers()
            self._show()

    # -- in: the account ----------------------------------------------------------------------

    def apply(self) -> None:
        """Make the stressed rules the account's, as one edit that can be undone."""
        rules = self.stress.rules(self.base)
        if rules == self.account.venue:
            return
        own = self.own.state.haircuts
        gone = {asset: cut for asset, cut in own.items() if asset in self.stress.haircuts}
        kept = {asset: cut for asset, cut in own.items() if asset not in gone}
        self._applied = [*self._applied[-_KEPT:], (rules, self.base, gone)]
        with self.account.edit():
            self.account.venue = rules
            self.account.haircuts = kept
        self._say("The stressed rules are the account's now; Undo takes them back.")

    def reset(self) -> None:
        """Forget the stress; if it was applied, the venue's own rules return as one edit."""
        self._tier_drafts, self._cut_drafts, self._typed = {}, {}, {}
        own = self.own.state
        self.stress = Stress()
        if self.account.venue != self.base:
            with self.account.edit():
                self.account.venue = own.venue
                self.account.haircuts = own.haircuts
        self.update()
        self._say(f"These are the rules of {self.base.label} again.")

    def _travel(self, way: str) -> None:
        getattr(self.account, way)()

    # -- in: messages -------------------------------------------------------------------------

    def _receive(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind in ("undo", "redo"):
            self._travel(kind)
        elif kind == "explain":
            whose, _, path = str(message["path"]).partition(" ")
            shown = self.found.before if whose == "before" else self.found.now
            name = "own rules" if whose == "before" else "stressed"
            self.explanation.show(shown, path, name, str(message["path"]))
        elif kind == "action":
            self._act(str(message["action"]), message.get("value"))

    def _act(self, action: str, value: Any) -> None:
        if action == "apply":
            self.apply()
        elif action == "reset":
            self.reset()
        elif action in ("undo", "redo"):
            self._travel(action)
        elif action == "hide-explanation":
            self.explanation.hide()
        elif action == "symbol":
            self._choose(str(value))
        elif action == "closing-fee":
            as_it_is = bool(value) == self.base.closing_fee_in_maintenance
            self._change(closing_fee=None if as_it_is else bool(value))
        elif action in ("liquidation", "residual"):
            own = self.base.liquidation.kind if action == "liquidation" else self.base.residual
            self._change(**{action: None if value in ("", own) else str(value)})
        elif action in ("taker-fee", "residual-share"):
            self._take_share(action, str(value))

    def _take_share(self, action: str, text: str) -> None:
        """Take a typed share; what is refused stays as it was typed, with the reason."""
        name = action.replace("-", "_")
        self._typed[action] = text
        own = getattr(self.base, name)
        number = None if not text.strip() else _share(name, text)
        given = None if number == own else number
        self.stress.replace(**{name: given})  # refuses before what was typed is forgotten
        del self._typed[action]
        self._change(**{name: given})

    def _choose(self, symbol: str) -> None:
        for position in self.account.positions:
            if position.symbol == symbol:
                self.selection.key = position.key
                return

    # -- in: tiers ----------------------------------------------------------------------------

    def _receive_tiers(self, message: dict[str, Any]) -> None:
        kind, texts = message.get("type"), self._texts(self.symbol)
        if kind in ("undo", "redo"):
            self._travel(kind)
        elif kind == "edit":
            texts[int(message["row"]) - 1][message["field"]] = message["text"].strip()
            self._take_tiers(texts)
            self.tiers.send({"type": "ack", "row": message["row"], "field": message["field"]})
        elif kind == "cancel":
            self._tier_drafts.pop(self.symbol, None)
            self.update()
        elif kind == "paste":
            self._paste(message["row"], message["field"], message["text"], texts)
        elif kind == "action" and message["action"] == "add":
            self._add(texts)
        elif kind == "action" and message["action"] == "delete" and message.get("row"):
            if len(texts) < 2:
                raise RuleError(f"tiers of {self.symbol}: one row must stay")
            del texts[int(message["row"]) - 1]
            self._take_tiers(texts)

    def _add(self, texts: list[dict[str, str]]) -> None:
        if not texts:
            return
        table = self._table_of(self.symbol)
        floor = 2 * table[-1].floor or _NEXT_FLOOR
        self._take_tiers([*texts, {"floor": f"{floor:.15g}", "rate": _per_cent(table[-1].rate)}])
        row = str(len(texts) + 1)
        self.tiers.selected = row
        self.tiers.send({"type": "focus", "row": row, "field": "floor", "edit": True})

    def _paste(self, row: str, field: str, text: str, texts: list[dict[str, str]]) -> None:
        names = ("floor", "rate")
        column = names.index(field) if field in names else 0
        start = int(row) - 1 if row else 0
        for number, cells in enumerate(parse_block(text), start):
            if len(cells) > len(names) - column:
                raise ValueError(
                    f"paste: row {number + 1}: {len(cells)} cells do not fit from here"
                )
            while len(texts) <= number:
                texts.append({"floor": "", "rate": ""})
            texts[number] |= dict(zip(names[column:], cells, strict=False))
        self._take_tiers(texts)

    def _take_tiers(self, texts: list[dict[str, str]]) -> None:
        """Take typed tiers; as long as they are not consistent the last sound ones are in force."""
        symbol = self.symbol
        table, errors = _read_tiers(symbol, texts)
        if errors or table is None:
            self._tier_drafts[symbol] = texts
            self.update()
            return
        self._tier_drafts.pop(symbol, None)
        others = {name: rows for name, rows in self.stress.tiers.items() if name != symbol}
        own = [tier[:2] for tier in self.base.tiers.get(symbol, ())]
        same = [tier[:2] for tier in table] == own
        self._change(tiers=others if same else {**others, symbol: table})

    # -- in: haircuts -------------------------------------------------------------------------

    def _receive_haircuts(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind in ("undo", "redo"):
            self._travel(kind)
        elif kind == "cancel":
            self._cut_drafts.pop(message["row"], None)
            self.update()
        elif kind == "edit":
            self._take_haircut(message["row"], message["text"].strip())
            self.haircuts.send({"type": "ack", "row": message["row"], "field": message["field"]})
        elif kind == "paste":
            raise ValueError("paste: type one haircut at a time")

    def _take_haircut(self, asset: str, text: str) -> None:
        if text and _haircut_problem(asset, text):
            self._cut_drafts[asset] = text
            self.update()
            return
        self._cut_drafts.pop(asset, None)
        cuts = {name: cut for name, cut in self.stress.haircuts.items() if name != asset}
        if text:
            cuts[asset] = _share("haircut", text)
        self._change(haircuts=cuts)

    # -- words --------------------------------------------------------------------------------

    def _say(self, message: str) -> None:
        self._message.html = f'<p class="mw-note-line">{escape(message)}</p>'

    def _tell(self, message: str) -> None:
        self.update()
        self._message.html = f'<p class="mw-error">{escape(message)}</p>'


def _read_tiers(
    symbol: str, texts: list[dict[str, str]]
) -> tuple[TierTable | None, list[dict[str, str]]]:
    """Typed tiers as a table, or what is wrong with them, cell by cell."""
    rows, errors = [], []
    for number, typed in enumerate(texts, start=1):
        found = {}
        for name in ("floor", "rate"):
            try:
                found[name] = (_share if name == "rate" else parse_number)(name, typed[name])
            except ValueError as error:
                errors.append(_error(number, name, typed, str(error)))
        rows.append((found.get("floor"), found.get("rate")))
    if errors:
        return None, errors
    try:
        return tier_table(symbol, rows), []
    except RuleError as error:
        message = str(error)
        place = _ROW.search(message)
        name = "floor" if "floor" in message else "rate"
        number = int(place[1]) if place else 1
        hint = "" if name == "floor" else "; here rates are in per cent: 1 is 100 %"
        return None, [_error(number, name, texts[number - 1], message + hint)]


def _error(number: int, name: str, typed: Mapping[str, str], message: str) -> dict[str, str]:
    return {"row": str(number), "field": name, "text": typed[name], "message": message}


def _haircut_problem(asset: str, text: str) -> str:
    """Why a typed haircut is refused; empty if it is not."""
    try:
        haircut_bands(asset, _share("haircut", text))
    except ValueError as error:
        return str(error)
    return ""


def _share(name: str, text: str) -> float:
    """A typed percentage as a share."""
    return float(f"{parse_number(name, text.strip().removesuffix('%')) / 100:.12g}")


def _per_cent(share: float) -> str:
    return fmt.plain(float(f"{100 * share:.10g}"))


def _bands_text(bands: Bands) -> str:
    shares = [_per_cent(share) for _, share in bands] or ["0"]
    return shares[0] if len(shares) == 1 else f"{shares[0]} to {shares[-1]}"


def _select(label: str, action: str, options: Mapping[str, str], chosen: str, own: str) -> str:
    """A list whose first entry is what the venue does."""
    entries = [("", f"venue: {options[own]}")]
    entries += [(value, text) for value, text in options.items() if value != own]
    listed = "".join(
        f'<option value="{value}"{" selected" if value == chosen else ""}>{escape(text)}</option>'
        for value, text in entries
    )
    return (
        f'<label class="mw-row">{label} <select data-action="{action}" data-key="{action}">'
        f"{listed}</select></label>"
    )


def _checkbox(action: str, label: str, on: bool) -> str:
    return (
        f'<label class="mw-row"><input type="checkbox" data-action="{action}" data-key="{action}"'
        f"{' checked' if on else ''}> {label}</label>"
    )


def _put(table: Table, name: str, content: Any) -> None:
    """Assign where something differs: an equal list would be sent again."""
    if getattr(table, name) != content:
        setattr(table, name, content)
