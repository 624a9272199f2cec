"""Accounts to start from: all are sound, and the recorded one agrees with its exchange."""

from __future__ import annotations

import math

import pytest

import margin_widgets as mw
from margin_widgets.account.report import ACCOUNT_FIGURES

PRESETS = (
    "ref2",
    "hedged_pair",
    "bitcoin_on_bitcoin",
    "hedged_lp_token",
    "multi_asset",
    "inverse",
    "exchange_account",
)


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_is_a_sound_account(name: str) -> None:
    account = getattr(mw.presets, name)()
    assert account.name
    # Bitcoin lends the dollars that isolated mode would assign; that is what it is there to show.
    assert bool(account.warnings) == (name == "bitcoin_on_bitcoin")
    for mode in ("isolated", "cross", "configured"):
        report = getattr(account, mode)
        assert report.status == "ok"
        for figure in ACCOUNT_FIGURES:
            value = getattr(report, figure)
            assert value is None or math.isfinite(value), (mode, figure)
        assert report.to_frame()["notional"].gt(0).all()


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_survives_its_document(name: str) -> None:
    account = getattr(mw.presets, name)()
    again = mw.Account.from_dict(account.to_dict())
    assert again.to_dict() == account.to_dict()
    assert again.venue == account.venue
    assert again.cross.figures() == account.cross.figures()


@pytest.mark.parametrize("name", PRESETS)
def test_each_call_gives_an_account_of_its_own(name: str) -> None:
    one, other = getattr(mw.presets, name)(), getattr(mw.presets, name)()
    assert one is not other
    assert one.to_dict() == other.to_dict()


def test_the_exchange_account_agrees_with_its_exchange() -> None:
    account = mw.presets.exchange_account()
    assert account.currency == "USDC"
    assert account.cross.equity == pytest.approx(19_762.483455, abs=1e-3)
    assert f"{account.cross.equity:,.2f}" == "19,762.48"
    assert f"{account.cross.maintenance_margin:,.2f}" == "141.58"
    assert account.cross.initial_margin == pytest.approx(707.89997, abs=1e-5)
    assert [one.liquidation_price for one in account.cross.positions.values()] == [None, None]
