"""From a goal to what has to change in each margin mode: looked at first, then made as one edit."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING, Any

from traitlets import Bool, Enum, Float, Instance, Unicode, observe

from margin_widgets.account import Account
from margin_widgets.account import formatting as fmt
from margin_widgets.account.solve import (
    QUANTITIES,
    Answer,
    Goal,
    KeepRatio,
    LiquidationAt,
    Need,
    Solution,
    Survive,
    find,
)
from margin_widgets.account.solve.change import COLLATERAL, money
from margin_widgets.account.solve.goals import percent
from margin_widgets.widgets.editing import REFUSALS, guarded, reason
from margin_widgets.widgets.explanation_box import ExplanationBox
from margin_widgets.widgets.frontend import Styled
from margin_widgets.widgets.markup import MODE_TITLES, button, figure
from margin_widgets.widgets.parsing import parse_number
from margin_widgets.widgets.selection import Selection
from margin_widgets.widgets.static_twin import StaticTwin

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

GOALS = {
    "survive": "Survive a move",
    "ratio": "Keep a ratio",
    "price": "Liquidation at",
}
_QUANTITY_TITLES = {name: name.capitalize() for name in QUANTITIES}
_MODES = ("isolated", "cross")
_EMPTY = "Add a position: without one nothing is ever liquidated."
APART = "margin-top:8px"
_MOST_ROWS = 10
_TYPED = {"survive": "shock", "ratio": "ratio", "price": "price"}


class SolvePanel(StaticTwin):
    """Say what the account is to withstand and see what each margin mode needs for it.

    Parameters
    ----------
    account : Account
    selection : Selection, optional
        Shared with other widgets; its position is the one that a price is asked of.

    Attributes
    ----------
    goal : {"survive", "ratio", "price"}
    shock : float
        Move to survive, e.g. -0.3.
    symbol : str
        The symbol that moves alone; empty for all marks.
    ratio : float
        Maintenance over margin balance to keep.
    price : float
        Liquidation price wanted of `position`; 0 for 15 % away from its mark.
    position : str
        Key of the position that a price is wanted of.
    quantity : {"collateral", "margin", "size", "leverage"}
        What may change.
    key : str
        The one position that may change; empty for all.
    answer : Answer or None
        The solution in each mode; None while there is an error.
    preview : Account or None
        A copy of the account with the solution that is looked at; for plots to draw.
    previewed : str
        What is looked at, in words; empty if nothing is.
    error : str
        What is wrong with the goal, in words.
    active : bool
        While False (in a hidden tab) the panel does not follow edits; set True it catches up.

    Examples
    --------
    >>> import margin_widgets as mw
    >>> from margin_widgets.widgets.solve_panel import SolvePanel
    >>> panel = SolvePanel(mw.presets.ref2())
    >>> panel.answer.cross.total
    21315.0
    >>> panel.quantity = "leverage"
    >>> [round(need.needed, 2) for need in panel.answer.isolated.needs]
    [3.29, 3.26]
    >>> panel.close()
    """

    goal = Enum(tuple(GOALS), default_value="survive", help="what is to be reached")
    shock = Float(-0.3, help="move to survive")
    symbol = Unicode("", help="symbol that moves alone, empty for all marks")
    ratio = Float(0.5, help="margin ratio to keep")
    price = Float(0.0, help="liquidation price wanted; 0 for 15 % away from the mark")
    position = Unicode("", help="position that a price is wanted of")
    quantity = Enum(QUANTITIES, default_value="collateral", help="what may change")
    key = Unicode("", help="the one position that may change, empty for all")
    answer = Instance(Answer, allow_none=True, help="the solution in each mode")
    preview = Instance(Account, allow_none=True, help="the account with what is looked at")
    previewed = Unicode("", help="what is looked at, in words")
    error = Unicode("", help="what is wrong with the goal")
    active = Bool(True, help="whether the panel follows edits; it catches up when set")

    def __init__(
        self, account: Account, selection: Selection | None = None, *, active: bool = True
    ) -> None:
        self.account = account
        self.selection = selection or Selection()
        self._mode = ""  # whose solution is previewed
        self._typed: dict[str, str] = {}  # what was refused, as it was typed
        self._ready = False
        self._controls = Styled(label="What is to be reached")
        self._status = Styled(label="Answer in words", live=True)
        self._cards = Styled(label="What each margin mode needs")
        self.explanation = ExplanationBox()
        parts = [self._controls, self._status, self._cards, self.explanation]
        super().__init__(parts)
        self.add_class("mw-panel")
        self.add_class("mw-solve-panel")
        self.active = active
        for one in parts:
            one.on_msg(guarded(self._receive, self._tell))
        self.follow(account, self._on_account, "revision")
        self.follow(self.selection, self._on_selection, "key")
        self._on_selection()
        self._ready = True
        self.update()

    # -- out ----------------------------------------------------------------------------------

    def update(self, change: Any = None) -> None:
        """Solve for the account as it is now."""
        if not self._ready or not self.active:
            return
        self._look("")
        self.explanation.hide()
        self._fit()
        self.answer, self.error = self._solved()
        self._show()

    def _solved(self) -> tuple[Answer | None, str]:
        """What the account needs as it is now, or why that cannot be said."""
        if not len(self.account.positions):
            return None, ""
        try:
            return self._solve(), ""
        except REFUSALS as error:
            return None, reason(error)

    def _solve(self) -> Answer:
        goal = self._goal()
        return find(self.account, goal, self.quantity, self.key or None)

    def _goal(self) -> Goal:
        if self.goal == "survive":
            return Survive(self.shock, self.symbol or None)
        if self.goal == "ratio":
            return KeepRatio(self.ratio)
        return LiquidationAt(self.position, self.price or self._price_near())

    def _price_near(self) -> float:
        """A round price 15 % on the losing side of the mark."""
        position = self.account.positions[self.position]
        mark = self.account.mark(position.symbol)
        return float(f"{mark * (0.85 if position.quantity > 0 else 1.15):.4g}")

    def _fit(self) -> None:
        """Let go of positions and symbols that are gone."""
        keys = self.account.positions.keys()
        self._ready = False
        try:
            if self.key and self.key not in keys:
                self.key = ""
            if self.position not in keys:
                self.position = keys[0] if keys else ""
                self.price = 0.0
            if self.symbol and self.symbol not in self.account.books.symbols:
                self.symbol = ""
        finally:
            self._ready = True

    def _show(self) -> None:
        self._controls.html = self._controls_html()
        self._status.html = self._status_html()
        self._cards.html = self._cards_html()

    @observe("goal", "shock", "symbol", "ratio", "price", "position", "quantity", "key", "active")
    def _on_question(self, change: Any) -> None:
        if self._ready:
            self._typed.pop(self.goal, None)
            if change.name == "position":
                self.set_trait("price", 0.0)
            self.update()

    def _on_account(self, change: Any) -> None:
        self._typed.clear()  # the reason goes with the edit, so what was refused goes too
        self._look("")  # also of a hidden panel: others draw what is looked at
        self.update()

    def _on_selection(self, change: Any = None) -> None:
        if self.selection.key in self.account.positions:
            place = self.account.positions.place(self.selection.key)
            self.position = self.account.positions.keys()[place]

    def _look(self, mode: str) -> None:
        """Look at the solution of a mode, or at none."""
        self._mode = mode
        if not mode or self.answer is None:
            self.preview, self.previewed = None, ""
            return
        solution: Solution = getattr(self.answer, mode)
        self.previewed = "; ".join(str(change) for change in solution.changes[:3])
        self.preview = solution.preview()

    # -- in -----------------------------------------------------------------------------------

    def _receive(self, message: dict[str, Any]) -> None:
        kind = message.get("type")
        if kind in ("undo", "redo"):
            getattr(self.account, kind)()
            return
        if kind == "explain":
            self._explain(str(message["path"]))
            return
        if kind != "action":
            return
        action, value = message["action"], message.get("value")
        if action in ("goal", "quantity", "symbol", "key", "position"):
            setattr(self, action, str(value or ""))
        elif action == "value":
            self._type(str(value))
        elif action == "preview":
            self._look("" if self._mode == value else str(value))
            self._show()
        elif action == "apply" and self.answer is not None:
            getattr(self.answer, str(value)).apply()
        elif action in ("undo", "redo"):
            getattr(self.account, action)()
        elif action == "hide-explanation":
            self.explanation.hide()

    def _explain(self, asked: str) -> None:
        """Explain what is behind a number: where the account stands now, or where it would."""
        mode, when, _, path = asked.split(" ", 3)
        if self.answer is None:
            return
        solution: Solution = getattr(self.answer, mode)
        if when == "now" or not solution.changes:
            self.explanation.show(self.account, path, "Now", asked)
        else:
            whose = f"If the {mode} solution were applied"
            self.explanation.show(solution.preview(), path, whose, asked)

    def _behind(self, solution: Solution, asked: str, text: str, key: str = "") -> str:
        """A number of a solution; it explains the figure that the goal is about, now or then.

        A goal of liquidation at a price, or after a move of one mark, is about a position.
        """
        name = {"ratio": "margin_ratio", "survive": "liquidation_shock"}.get(self.goal)
        moved = self.symbol if self.goal == "survive" else ""
        if name is None or moved:
            name = "liquidation_price"
            held = [one.key for one in self.account.positions if one.symbol == moved]
            key = key or (held[0] if held else self.position)
        place = f"positions.{key}." if key else ""
        return figure(text, f"{solution.mode} {asked} {solution.mode}.{place}{name}")

    def _type(self, text: str) -> None:
        """Take a typed number; a refused one stays where it was typed."""
        name = _TYPED[self.goal]
        try:
            value = self._read(text)
        except REFUSALS as error:
            self._typed[self.goal] = text
            self._look("")
            self.answer, self.error = None, reason(error)
            self._show()
            return
        self._typed.pop(self.goal, None)
        if value == getattr(self, name):
            self.update()
        else:
            setattr(self, name, value)

    def _read(self, text: str) -> float:
        if self.goal == "price":
            number = parse_number("price", text)
            LiquidationAt(self.position, number).check(self.account)
            return number
        name = "move" if self.goal == "survive" else "margin ratio"
        share = parse_number(name, text.strip().removesuffix("%")) / 100
        if self.goal == "survive":
            if not -1 < share <= 1000:
                raise ValueError(
                    f"move: {text.strip()} must be above −100 % and at most 100,000 %, in per cent"
                )
            return share
        if not 0 < share <= 1:
            raise ValueError(
                f"margin ratio: {text.strip()} must be above 0 % and at most 100 %, where a pool is"
                " liquidated"
            )
        KeepRatio(share).check(self.account)
        return share

    def _tell(self, message: str) -> None:
        self.error = message
        self._status.html = self._status_html()

    # -- HTML ---------------------------------------------------------------------------------

    def _controls_html(self) -> str:
        account = self.account
        keys = account.positions.keys()
        everything = [("", "all positions")] + [(key, key) for key in keys]
        parts = [_segments("Goal", "goal", GOALS.items(), self.goal)]
        if self.goal == "survive":
            moved = [("", "all marks")] + [(one, f"{one} alone") for one in account.books.symbols]
            value = percent(self.shock, sign=True)
            parts.append(self._input("Move", value) + _select("in", "symbol", moved, self.symbol))
        elif self.goal == "ratio":
            parts.append(self._input("Maintenance ÷ margin balance at most", percent(self.ratio)))
        else:
            price = self.price or (self._price_near() if keys else 0.0)
            choices = [(key, key) for key in keys]
            parts.append(
                _select("Position", "position", choices, self.position)
                + self._input("liquidated at", fmt.plain(price))
            )
        may = _segments("What may change", "quantity", _QUANTITY_TITLES.items(), self.quantity)
        whose = "" if self.goal == "price" else _select("of", "key", everything, self.key)
        undo = button("Undo", "undo", enabled=account.can_undo, title="Ctrl+Z")
        rows = (
            f'<div class="mw-row">{parts[0]}</div><div class="mw-row">{parts[1]}</div>'
            f'<div class="mw-row"><span class="mw-caption">by changing</span>{may}{whose}'
            f'<span class="mw-spacer"></span>{undo}</div>'
        )
        return f'<h3 class="mw-heading">Solve</h3>{rows}'

    def _input(self, label: str, value: str) -> str:
        typed = self._typed.get(self.goal, value)
        wrong = ' aria-invalid="true"' if self.goal in self._typed else ""
        return (
            f'<label class="mw-row"><span class="mw-caption">{escape(label)}</span>'
            f'<input data-action="value" data-key="value-{self.goal}" value="{escape(typed)}"'
            f' inputmode="decimal" autocomplete="off" spellcheck="false"{wrong}'
            ' class="mw-field" style="width:12ch"></label>'
        )

    def _status_html(self) -> str:
        if self.error:
            return f'<p class="mw-error" style="{APART}">{escape(self.error)}</p>'
        if self.answer is None:
            return f'<p class="mw-empty">{_EMPTY}</p>'
        answer = self.answer
        told = answer.text or " ".join(_in_short(getattr(answer, mode)) for mode in _MODES)
        looked = f" Previewed: {self.previewed}." if self.previewed else ""
        return f'<p class="mw-verdict" style="{APART}">{escape(told + looked)}</p>'

    def _cards_html(self) -> str:
        if self.answer is None:
            return ""
        cards = "".join(self._card(getattr(self.answer, mode)) for mode in _MODES)
        return f'<div class="mw-cards" style="{APART}">{cards}</div>'

    def _card(self, solution: Solution) -> str:
        mode = solution.mode
        if solution.found:
            body = (
                f'<dl class="mw-kv">{self._headline(solution)}</dl>{self._changes_html(solution)}'
                f'<p class="mw-caption" style="margin-top:6px">{escape(solution.text)}</p>'
                f"{self._buttons(solution)}"
            )
        else:
            body = f'<p class="mw-note-line">{escape(solution.text)}</p>'
        return (
            f'<section class="mw-card mw-{mode}" aria-label="{MODE_TITLES[mode]}"><h3>'
            f'<span class="mw-dot"></span>{MODE_TITLES[mode]}</h3>{body}</section>'
        )

    def _buttons(self, solution: Solution) -> str:
        mode, title = solution.mode, MODE_TITLES[solution.mode].lower()
        pressed = str(self._mode == mode).lower()
        # Kept where nothing is to change: the button just pressed would take the focus with it.
        off = "" if solution.changes else ' aria-disabled="true"'
        note = "" if solution.changes else '<span class="mw-caption">Nothing to change.</span>'
        code = (
            f'<details data-key="code-{mode}"><summary class="mw-caption">As code</summary>'
            f"<pre><code>{escape(solution.code)}</code></pre></details>"
        )
        return (
            '<div class="mw-row" style="margin:8px 0">'
            f'<button class="mw-button" data-action="preview" data-value="{mode}"'
            f' data-key="preview-{mode}" aria-pressed="{pressed}"{off} style="min-width:6.2em"'
            f' aria-label="Preview {title}">Preview</button>'
            f'<button class="mw-button" data-action="apply" data-value="{mode}"'
            f' data-key="apply-{mode}"{off} aria-label="Apply {title}">Apply</button>{note}</div>'
            f"{code if solution.changes else ''}"
        )

    def _headline(self, solution: Solution) -> str:
        """What the sentence says is needed: wallets, margins in all, or what each may have."""
        if solution.total is not None and (solution.mode == "cross" or len(solution.needs) == 1):
            title = "Wallet needed" if solution.mode == "cross" else "Margin needed"
            facts = []
            for place, need in enumerate(solution.needs[:4]):
                asked = f"then need{place}" if place else "then total"
                shown = self._behind(solution, asked, money(need.needed, need.unit))
                facts.append((title, f"{shown} {escape(need.unit)}"))
        elif solution.total is not None:
            shown = self._behind(solution, "then total", fmt.amount(solution.total))
            facts = [("Margin needed", f"{shown} {escape(solution.account.currency)}")]
        else:
            keys = self.account.books.places
            facts = []
            # What meets the goal stays as it is, unless all do: then the limit is told.
            acted_on = [need for need in solution.needs if not need.met] or solution.needs
            for place, need in enumerate(acted_on[:4]):
                key = need.name if need.name in keys else ""
                shown = self._behind(solution, f"then need{place}", _needed(solution, need), key)
                facts.append((escape(need.name), shown))
        return "".join(f"<div><dt>{name}</dt><dd>{text}</dd></div>" for name, text in facts)

    def _changes_html(self, solution: Solution) -> str:
        if not solution.changes:
            return ""
        rows = []
        for place, one in enumerate(solution.changes[:_MOST_ROWS]):
            key = one.name if one.field != COLLATERAL else ""
            before, after = one.shown(one.before), one.shown(one.after)
            now = self._behind(solution, f"now {place}", before, key)
            then = self._behind(solution, f"then {place}", after, key)
            unit = "" if one.unit == "×" else one.unit
            rows.append(
                f'<tr role="row"><th scope="row" role="rowheader">{escape(one.label)}</th>'
                f'<td role="cell" class="mw-right">{now}</td>'
                f'<td role="cell" class="mw-right">{"kept" if before == after else then}</td>'
                f'<td role="cell">{escape(unit)}</td></tr>'
            )
        more = len(solution.changes) - _MOST_ROWS
        note = f'<p class="mw-caption">and {more} more</p>' if more > 0 else ""
        return (
            '<table class="mw-data mw-fold" role="table" style="--mw-fold:3">'
            '<thead role="rowgroup"><tr role="row"><th role="columnheader">Change</th>'
            '<th scope="col" role="columnheader" class="mw-right">now</th>'
            '<th scope="col" role="columnheader" class="mw-right">needed</th>'
            '<th scope="col" role="columnheader"><span class="mw-sr">unit</span></th></tr></thead>'
            f'<tbody role="rowgroup">{"".join(rows)}</tbody></table>{note}'
        )

    def _current(self) -> tuple[Answer | None, str]:
        """The answer for the account as it is now, also while the panel does not follow it."""
        if not self.active:
            self._fit()
            return self._solved()
        return self.answer, self.error

    def static_html(self) -> str:
        """What each mode needs, or why that cannot be said."""
        answer, error = self._current()
        told = f"<p>{escape(error or _EMPTY)}</p>" if answer is None else answer._repr_html_()
        return f"<div><p><b>Solve</b></p>{told}</div>"

    def static_text(self) -> str:
        """The answer in words."""
        answer, error = self._current()
        return str(answer or error or _EMPTY)


# -- pieces -------------------------------------------------------------------------------------


def _segments(label: str, action: str, choices: Iterable[tuple[str, str]], chosen: str) -> str:
    buttons = "".join(
        f'<button role="radio" aria-checked="{str(name == chosen).lower()}"'
        f' data-action="{action}" data-value="{name}" data-key="{action}-{name}">'
        f"{escape(title)}</button>"
        for name, title in choices
    )
    return f'<div class="mw-seg" role="radiogroup" aria-label="{label}">{buttons}</div>'


def _select(label: str, action: str, choices: Sequence[tuple[str, str]], chosen: str) -> str:
    options = "".join(
        f'<option value="{escape(name)}"{" selected" if name == chosen else ""}>'
        f"{escape(title)}</option>"
        for name, title in choices
    )
    return (
        f'<label class="mw-row"><span class="mw-caption">{escape(label)}</span>'
        f'<select data-action="{action}" data-key="{action}" class="mw-field"'
        ' style="text-align:left">'
        f"{options}</select></label>"
    )


def _in_short(solution: Solution) -> str:
    """What a mode needs, for those who hear it rather than see the cards."""
    title = MODE_TITLES[solution.mode]
    if not solution.found:
        return f"{title}: no solution."
    needs = [f"{need.name} {_needed(solution, need)}" for need in solution.needs[:3]]
    more = len(solution.needs) - len(needs)
    listed = ", ".join(needs) + (f" and {more} more" if more > 0 else "")
    return f"{title}: {listed}{', met as it is' if solution.met else ''}."


def _needed(solution: Solution, need: Need) -> str:
    if need.unit == "×":
        return f"{fmt.plain(need.needed, 2)}×"
    if solution.quantity == "size":
        return f"{fmt.plain(float(f'{need.needed:.4g}'))} {need.unit}"
    return f"{money(need.needed, need.unit)} {need.unit}"
