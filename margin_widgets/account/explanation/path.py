"""Which figure a path names, and who explains it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from margin_widgets.account.books import MODES
from margin_widgets.account.explanation.account_figures import explain_account
from margin_widgets.account.explanation.collateral import explain_collateral, explain_mark
from margin_widgets.account.explanation.explanation import Explanation, Question
from margin_widgets.account.explanation.pool import Pool
from margin_widgets.account.explanation.pool_figures import POOL_PATHS, explain_pool
from margin_widgets.account.explanation.position_figures import TEXTS, explain_position
from margin_widgets.account.report import ACCOUNT_FIGURES, POSITION_FIGURES, MarginReport
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

ACCOUNT_PATHS = (*ACCOUNT_FIGURES, "idle", "status", "liquidation_shocks")
POSITION_PATHS = (*POSITION_FIGURES, "liquidation_prices", "liquidation_shocks", "mark")
COLLATERAL_PATHS = ("", "price", "counted")


def explain(account: Account, path: str) -> Explanation:
    """Explain the figure at `path`.

    Parameters
    ----------
    account : Account
    path : str
        ``<mode>.<figure>``, ``<mode>.positions.<key>.<figure>``, ``<mode>.pools.<name>.<figure>``,
        ``marks.<symbol>``, ``collateral.<asset>``, ``collateral.<asset>.price`` or
        ``collateral.<asset>.counted``. Keys may contain dots.

    Raises
    ------
    KeyError
        If there is no such figure.

    Examples
    --------
    >>> from margin_widgets import presets
    >>> explanation = explain(presets.ref2(), "cross.positions.BTCUSDT.liquidation_price")
    >>> for line in explanation.lines:
    ...     print(line)
    P = (W + ΣuPnL_other − ΣMM_other + A − q·E) / (|q|·m − q)
    = (10,000 + 0 − 200 + 0 − 0.5·100,000) / (0.5·0.005 − 0.5)
    = 80,804.02 USDT
    """
    path = str(path)
    head, _, rest = path.partition(".")
    if head in MODES:
        return _of_report(getattr(account, head), rest, path)
    if head == "portfolio":
        if account.portfolio is None:
            raise KeyError(f"{path}: {account.venue.name} has no portfolio margin")
        return _of_report(account.portfolio, rest, path)
    if head == "marks":
        return _of_mark(account.cross, rest, path)
    if head == "collateral":
        return _of_collateral(account.cross, rest, path)
    hint = did_you_mean(head, [*MODES, "portfolio", "marks", "collateral"])
    raise KeyError(f"{path}: {head!r} is not a part of an account{hint}")


def _of_report(report: MarginReport, rest: str, path: str) -> Explanation:
    if rest.startswith("positions."):
        key, _, figure = rest.removeprefix("positions.").rpartition(".")
        if figure not in (*POSITION_PATHS, *TEXTS):
            hint = did_you_mean(figure, [*POSITION_PATHS, *TEXTS])
            raise KeyError(f"{path}: no figure {figure!r} of a position{hint}")
        return explain_position(report, report.positions[key].index, figure, path)
    if rest.startswith("pools."):
        return _of_pool(report, rest.removeprefix("pools."), path)
    if rest not in ACCOUNT_PATHS:
        hint = did_you_mean(
            rest, [*ACCOUNT_PATHS, "positions.<key>.<figure>", "pools.<name>.<figure>"]
        )
        raise KeyError(f"{path}: no figure {rest!r} of an account{hint}")
    return explain_account(report, rest, path)


def _of_pool(report: MarginReport, rest: str, path: str) -> Explanation:
    name, _, figure = rest.rpartition(".")
    names = report.books.pool_names(report.mode)
    if figure not in POOL_PATHS:
        hint = did_you_mean(figure, POOL_PATHS)
        raise KeyError(f"{path}: no figure {figure!r} of a pool{hint}")
    if name not in names:
        raise KeyError(f"{path}: no pool {name!r}{did_you_mean(name, names)}")
    return explain_pool(Pool(report, names.index(name)), figure, path)


def _of_mark(report: MarginReport, symbol: str, path: str) -> Explanation:
    symbols = report.books.symbols
    if symbol not in symbols:
        raise KeyError(f"{path}: no symbol {symbol!r}{did_you_mean(symbol, symbols)}")
    return explain_mark(Question(report, path, f"{symbol}, mark price"), symbols.index(symbol))


def _of_collateral(report: MarginReport, rest: str, path: str) -> Explanation:
    assets = report.books.assets
    asset, _, figure = rest.rpartition(".")
    if rest in assets:  # first, as an asset's own name may hold dots
        asset, figure = rest, ""
    if asset not in assets or figure not in COLLATERAL_PATHS:
        raise KeyError(f"{path}: no asset {rest!r}{did_you_mean(rest, assets)}")
    return explain_collateral(report, assets.index(asset), figure, path)
