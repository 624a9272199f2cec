"""The sentences of solutions: what is needed, what it is made of, and how the modes compare."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from margin_widgets.account import formatting as fmt
from margin_widgets.account.solve.change import COLLATERAL, Change, money
from margin_widgets.account.solve.goals import Goal, KeepRatio, Survive
from margin_widgets.account.solve.pools import HIGHEST_LEVERAGE, NoSolutionError, Target
from margin_widgets.account.solve.solution import Need, Solution

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

_NAMED = 4


def impossible(goal: Goal, mode: str, reason: str) -> str:
    """That there is no solution, and why."""
    return f"To {goal.words}, {mode} has no solution. {reason[:1].upper()}{reason[1:]}."


def margins(
    account: Account,
    goal: Goal,
    targets: Sequence[Target],
    needs: Sequence[Need],
    total: float,
    short: Mapping[str, float],
    *,
    deposit: bool,
) -> str:
    """What margins isolated positions need."""
    (unit, *others) = dict.fromkeys(need.unit for need in needs)
    amounts = [
        f"{money(need.needed, need.unit)}{f' {need.unit}' if others else ''} ({need.name})"
        for need in needs
    ]
    if len(needs) == 1:
        parts = f"a margin of {money(needs[0].needed, unit)} {unit} for {needs[0].name}"
    else:
        equals = " = " if len(needs) <= _NAMED else ", in all "
        parts = f"margins of {_listed(amounts, ' + ')}{equals}{fmt.amount(total)}"
        parts += f" {account.currency}"
    text = f"{_opening(goal, needs, 'isolated needs ')}{parts}{_made_of(goal, targets, total)}."
    text += _against_present(needs)
    for asset, more in short.items():
        lack = f"{money(more, asset)} {asset}"
        grows = "which grows by that much" if deposit else "so that much has to be deposited first"
        text += f" All margins together are then {lack} above the wallet, {grows}."
    return text


def collateral(
    account: Account, goal: Goal, targets: Sequence[Target], needs: Sequence[Need], total: float
) -> str:
    """What wallet shared pools need."""
    parts = _listed([f"{money(need.needed, need.unit)} {need.unit}" for need in needs], " and ")
    opening = _opening(goal, needs, "cross needs a wallet of ")
    text = f"{opening}{parts}{_made_of(goal, targets, total)}."
    for need in needs:
        more = need.needed - need.present
        if more:
            word = "more than there is" if more > 0 else "less than there is"
            text += f" That is {money(abs(more), need.unit)} {need.unit} {word}."
    others = [asset for asset, held in account.collateral.items() if held]
    others = [one for one in others if one not in {need.unit for need in needs}]
    if others and account.venue.cross_pool == "account":
        stay = "stays as it is" if len(others) == 1 else "stay as they are"
        text += f" {_together(others)} in the wallet {stay}."
    return text + _reserved(account, needs)


def sizes(
    goal: Goal,
    mode: str,
    needs: Sequence[Need],
    changes: Sequence[Change],
    factors: Mapping[str, float],
) -> str:
    """What sizes positions may have."""
    shown = _acted_on(needs)
    parts = _listed(
        [
            f"{_size(need.needed)} {need.unit} of {need.name} (now {_size(need.present)})"
            for need in shown
        ],
        ", ",
    )
    opening = _opening(goal, needs, f"{mode} allows ", f"{mode} needs ")
    text = f"{opening}{parts}"
    if mode == "cross" and len(needs) > 1 and len(factors) == 1:
        (factor,) = factors.values()
        text += f", all times {fmt.plain(factor, 4)}"
    booked = any(one.field == COLLATERAL for one in changes)
    if mode == "isolated" and not booked and any(one.field == "margin" for one in changes):
        text += f", the margin{'s staying as they are' if len(shown) > 1 else ' staying as it is'}"
    text += f".{_stays(needs)}"
    if booked:
        where = "margin" if mode == "isolated" else "wallet"
        text += f" Traded at the mark, with profit, loss and taker fee booked to the {where}."
    if any(abs(need.needed) > abs(need.present) for need in shown):
        text += " That is what maintenance allows; opening more also takes initial margin."
    return text


def leverages(
    goal: Goal,
    targets: Sequence[Target],
    needs: Sequence[Need],
    margins_after: Mapping[str, float],
    short: Mapping[str, float],
) -> str:
    """What leverage isolated positions may have."""
    units = {target.name: target.asset for target in targets}
    shown = _acted_on(needs)
    parts = _listed([f"{fmt.plain(need.needed, 4)}× for {need.name}" for need in shown], ", ")
    made = [f"{money(margins_after[one.name], units[one.name])} {units[one.name]}" for one in shown]
    opening = _opening(goal, needs, "isolated allows at most ", "isolated needs ")
    text = f"{opening}{parts}, which assigns {_listed(made, ' and ')} at entry.{_stays(needs)}"
    if any(need.needed == HIGHEST_LEVERAGE for need in shown):
        text += f" {fmt.plain(HIGHEST_LEVERAGE)}× is the highest setting there is."
    for asset, more in short.items():
        text += (
            f" All margins together are then {money(more, asset)} {asset} above the wallet, so that"
            " much has to be deposited first."
        )
    return text


def leverage_in_cross(account: Account, targets: Sequence[Target]) -> str:
    """Why the setting does not help in cross, and what does."""
    text = "in cross the leverage setting only changes what is reserved, not where liquidation is"
    for target in targets[:1]:
        try:
            more = target.collateral() - target.held
        except NoSolutionError:
            continue
        worth = more * account.asset_price(target.asset)
        now, there = target.effective_leverage(0.0), target.effective_leverage(worth)
        if now is None or there is None:
            continue
        does = f"{money(abs(more), target.asset)} {target.asset} {'more' if more > 0 else 'less'}"
        text += (
            f"; what counts is the effective leverage: {fmt.plain(now, 2)}× now,"
            f" {fmt.plain(there, 2)}× with {does} collateral, which is what the goal takes"
        )
    return text


def compared(isolated: Solution, cross: Solution) -> str:
    """How the two modes compare, and why."""
    goal = isolated.goal
    if not (isolated.found and cross.found) or isolated.quantity != "collateral":
        return ""
    if isolated.total is None or cross.total is None:
        return ""
    account = isolated.account
    unit = account.currency
    others = {need.unit for need in (*isolated.needs, *cross.needs)} | {
        asset for asset, held in account.collateral.items() if held
    }
    if len(others) > 1:
        return (
            "The two cannot be compared amount by amount: cross counts all of"
            f" {_together(sorted(others))}, isolated what each position is margined in."
        )
    apart = _beside(isolated)
    first, second = isolated.total + apart, cross.total
    less = first - second
    if first == second == 0:
        return "Neither mode needs anything: the profit of the positions is enough."
    if len(account.positions) == 1 and abs(less) <= 0.005:
        return f"Both modes need {fmt.amount(second)} {unit}: with one position they are the same."
    if abs(less) <= 1e-9 * max(abs(first), abs(second)):
        if isinstance(goal, Survive) and goal.symbol is None:
            why = (
                "in one common shock of all marks every position loses at the same time, so"
                " pooling saves nothing"
            )
        elif isinstance(goal, KeepRatio):
            why = "at the same marks the needs of the positions add up, so pooling saves nothing"
        else:
            why = "nothing that one position has to spare helps another, so pooling saves nothing"
        return f"Both modes need {fmt.amount(second)} {unit}: {why}."
    beside = f", the margins of the other positions included ({fmt.amount(apart)})" if apart else ""
    opening = f"Isolated ties up {fmt.amount(first)} {unit}{beside}; cross needs"
    opening += f" {fmt.amount(second)}, {fmt.amount(abs(less))} "
    if less < 0:
        return (
            f"{opening}more: haircuts, loans and what has gone from other margins count in the pool"
            " only."
        )
    if isinstance(goal, Survive) and goal.symbol is None:
        return f"{opening}less: what some positions gain {goal.place} supports the others."
    return f"{opening}less: what the other positions have to spare supports this one."


def _beside(isolated: Solution) -> float:
    """Margins of the positions that the goal is not about, in the account's currency."""
    books = isolated.account.books
    named = {need.name for need in isolated.needs}
    prices = books.book.asset_prices(books.marks)[books.book.position_settle]
    worth = (books.book.margin * prices).tolist()
    return float(sum(one for key, one in zip(books.keys, worth, strict=True) if key not in named))


# -- pieces -------------------------------------------------------------------------------------


def _opening(goal: Goal, needs: Sequence[Need], limit: str, exact: str = "") -> str:
    opening = f"To {goal.words}, {limit if goal.limit or not exact else exact}"
    if goal.limit and all(need.met for need in needs):
        return f"Met as it is. {opening}"
    return opening


def _made_of(goal: Goal, targets: Sequence[Target], total: float) -> str:
    """Losses and maintenance that the total is the sum of, where it is that and no more."""
    parts = [target.breakdown() for target in targets]
    known = [one for one in parts if one is not None]
    if len(known) < len(parts) or isinstance(goal, KeepRatio):
        return ""
    loss, needed = sum(one[0] for one in known), sum(one[1] for one in known)
    if abs(loss + needed - total) > 1e-6 * max(abs(total), 1.0):
        return ""
    if loss < 0:
        return f": {fmt.amount(needed)} maintenance less {fmt.amount(-loss)} of profit there"
    return f": {fmt.amount(loss)} of losses there and {fmt.amount(needed)} maintenance"


def _acted_on(needs: Sequence[Need]) -> list[Need]:
    """Those that do not meet the goal, or all where all do."""
    return [need for need in needs if not need.met] or list(needs)


def _stays(needs: Sequence[Need]) -> str:
    """Those that stay as they are beside others that do not."""
    enough = [need.name for need in needs if need.met]
    if not enough or len(enough) == len(needs):
        return ""
    one = len(enough) == 1
    return f" {_listed(enough, ', ')} {'meets it and stays' if one else 'meet it and stay'}."


def _against_present(needs: Sequence[Need]) -> str:
    stays = _stays(needs)
    shown = _acted_on(needs)
    more = sum(need.needed - need.present for need in shown)
    unit = needs[0].unit
    if not more or len({need.unit for need in needs}) > 1:
        return stays
    word = "more" if more > 0 else "less"
    of = " for the others" if stays else ""
    return f"{stays} That is {money(abs(more), unit)} {unit} {word} than is assigned{of}."


def _reserved(account: Account, needs: Sequence[Need]) -> str:
    """A reminder where a wallet taken down to the limit would not cover initial margin."""
    report = account.cross
    less = sum((need.present - need.needed) * account.asset_price(need.unit) for need in needs)
    if less <= report.available + 0.005 or less <= 0:
        return ""
    return (
        f" Only {fmt.amount(report.available)} {account.currency} is available: the rest is"
        " reserved as initial margin."
    )


def _size(quantity: float) -> str:
    return fmt.plain(float(f"{quantity:.6g}"))


def _together(names: Sequence[str]) -> str:
    if len(names) > _NAMED:
        return _listed(names, ", ")
    *before, last = names
    return f"{', '.join(before)} and {last}" if before else last


def _listed(parts: Sequence[str], link: str) -> str:
    shown = list(parts[:_NAMED])
    rest = len(parts) - _NAMED
    return link.join(shown) + (f" and {rest} more" if rest > 0 else "")
