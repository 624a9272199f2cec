"""How the assets of an account count: haircuts on what is held, maintenance on what is owed."""

from __future__ import annotations

from margin_widgets.account.state import AccountState
from margin_widgets.engine import Schedule
from margin_widgets.engine.book import Floats
from margin_widgets.engine.weights import asset_weight, liability_weight
from margin_widgets.venues import RuleSet


def haircuts(state: AccountState, assets: tuple[str, ...], wallet: Floats) -> Schedule:
    """Share of each held asset that does not count as margin (A rows).

    Where the venue's weight worsens with the amount, the wallet balance is the amount.
    """
    rules = state.venue
    given = {**rules.haircuts, **state.haircuts}
    bands = [given.get(asset, ()) for asset in assets]
    for place, (asset, held) in enumerate(zip(assets, wallet, strict=True)):
        imf = 0.0 if asset in state.haircuts else rules.imf_factors.get(asset, 0.0)
        if imf and held > 0:
            bands[place] = tuple(
                (floor, 1.0 - float(asset_weight(1.0 - share, held, imf)))
                for floor, share in bands[place] or ((0.0, 0.0),)
            )
    return Schedule.from_bands(bands)


def loans(rules: RuleSet, assets: tuple[str, ...], wallet: Floats) -> Schedule:
    """Maintenance margin of each borrowed asset (A rows)."""
    bands = [rules.liability_rates.get(asset, ()) for asset in assets]
    for place, (asset, held) in enumerate(zip(assets, wallet, strict=True)):
        imf = rules.imf_factors.get(asset, 0.0)
        if imf and held < 0:
            bands[place] = tuple(
                (floor, float(liability_weight(1.0 + rate, -held, imf)) - 1.0)
                for floor, rate in bands[place] or ((0.0, 0.0),)
            )
    return Schedule.from_bands(bands)
