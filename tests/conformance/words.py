"""The names under which inputs and figures are written, and a reader that knows them.

Sources do not agree on names: an entry price is `entry_price`, `entry`, `EP` or `open_price`. A
family asks for a quantity by one name and gets it by whichever is there; what nobody asked for is
an input that is not understood.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tests.conformance.outcome import NotUnderstoodError

UNITS = ("btc", "xbt", "eth", "sol", "coin", "base", "usd", "usdt", "usdc", "quote")
DOLLAR_UNITS = ("usd", "usdt", "usdc", "quote")

INPUTS: dict[str, tuple[str, ...]] = {
    kind: tuple(names.split())
    for kind, names in {
        "side": "side direction",
        "size": (
            "position position_size size q qty quantity base_quantity base_size base amount szi "
            "sz volume open_volume"
        ),
        "contracts": "contracts contracts_usd n_contracts num_contracts",
        "multiplier": (
            "multiplier contract_multiplier face face_usd face_value contract_size "
            "contract_value ct_val"
        ),
        "entry": (
            "entry_price EP entry open_price avg_entry avg_entry_price average_entry_price "
            "average_entry avg_price open_rate entry_px avg_open_price"
        ),
        "price": "price order_price",
        "mark": (
            "mark_price mark index index_price oracle oracle_price mark_from_upl mark_px "
            "current_price last"
        ),
        "mmr": (
            "mmr mm_rate maint_rate maint_margin_rate maintenance_rate maintenance_margin_rate "
            "maintenance_margin_ratio mmf maintenance_fraction maintenance_margin_fraction rate "
            "mm margin_rate margin_ratio_maintenance mm_ratio maintenance_ratio "
            "maint_margin_ratio keep_margin_rate maint_rate_ratio"
        ),
        "imr": (
            "imr imf im_rate initial_rate initial_margin_rate init_rate margin_init "
            "init_margin_rate"
        ),
        "amount": (
            "maintenance_amount cum maint_amount deduction mm_deduction mm_amount "
            "maintenance_margin_deduction maintenance_deduction maintenance_amt maint_amt"
        ),
        "leverage": "leverage L lev lever",
        "max_leverage": "max_leverage maxLeverage max_lev",
        "margin": (
            "isolated_wallet isolated_margin margin pos_margin position_margin assigned_margin "
            "margin_used marginUsed"
        ),
        "extra": "extra_margin extra added_margin additional_margin",
        "wallet": (
            "wallet_balance wallet balance account_balance WB total_balance collateral wb cash "
            "cross_wallet cross_wallet_balance total_wallet_balance available_wallet"
        ),
        "equity": "equity account_value account_equity cross_equity total_equity",
        "margin_balance": "margin_balance",
        "fee": (
            "taker_fee taker taker_rate fee fee_rate f closing_fee closing_fee_rate "
            "taker_commission"
        ),
        "tick": "tick tick_size price_tick",
        "bankruptcy": "bankruptcy_price bust_price bankrupt_price bankruptcy",
        "upnl": "unrealized_pnl unrealised_pnl upnl pnl",
        "ratio": "margin_ratio mgn_ratio",
        "value": (
            "position_value notional value open_value entry_value pos_cost cost position_notional"
        ),
        "others_mm": (
            "other_maintenance other_maintenance_margin other_mm mm_other mmr_other TMM tmm "
            "others_mm maintenance_other TMM1 tmm1 mm_ex mm_ex_1 maintenance_margin_other "
            "mm_others tmm_1"
        ),
        "others_upnl": (
            "UPNL other_upnl other_pnl other_unrealized_pnl upnl_other UPNL1 upnl1 upnl_ex "
            "upnl_ex_1 unrealized_pnl_other upnl_others upnl_1"
        ),
        "order_margin": "order_margin open_order_margin",
        "symbol": "symbol market coin",
        "base_rate": "base_rate",
        "slope": "slope_per_coin slope rate_per_coin",
    }.items()
}
"""Names of inputs by what they mean."""

# Names that say what a case is about and change no number.
LABELS = {"coin", "currency", "symbol", "symbols", "market", "comment", "note", "unit", "asset"}

FIGURES: dict[str, tuple[str, ...]] = {
    kind: tuple(names.split())
    for kind, names in {
        "liquidation_price": (
            "liquidation_price liq_price liq liquidation liquidation_px liqPx "
            "estimated_liq_price p_liq est_liq_price"
        ),
        "bankruptcy_price": "bankruptcy_price bust_price bankrupt_price bankruptcy",
        "maintenance_margin": (
            "maintenance_margin mm maintenance maint_margin mm_required maint req required "
            "maintenance_requirement maint_margin_required pos_maint "
            "maintenance_margin_required total_maintenance_margin"
        ),
        "initial_margin": "initial_margin im init_margin initial pos_init",
        "unrealized_pnl": (
            "unrealized_pnl unrealised_pnl upnl pnl profit total_upnl total_unrealized_pnl"
        ),
        "notional": "notional position_value value position_notional",
        "margin_ratio": (
            "margin_ratio account_mm_rate mm_rate account_margin_ratio maintenance_margin_ratio "
            "margin_rate mgn_ratio"
        ),
        "equity": "equity eq net account_value account_equity total_equity",
        "margin_balance": "margin_balance available_margin total_collateral account_margin",
        "available": "available free_collateral available_balance free_margin",
        "wallet_balance": "wallet_balance",
        "threshold": "threshold",
        "liquidated": (
            "liquidated liquidatable is_liquidatable is_liquidated below_maintenance liquidates"
        ),
        "effective_leverage": "effective_leverage account_leverage",
        "margin": (
            "assigned_pos_balance assigned_margin position_margin margin isolated_margin "
            "required_margin"
        ),
        "tier_rate": "mmr",
        "tier_amount": "maintenance_amount cum",
    }.items()
}
"""Names of expected figures by the figure of a report that they mean."""


class Given:
    """The inputs of a case, asked for by what they mean.

    Parameters
    ----------
    inputs : mapping
        As they stand in the file.
    """

    def __init__(self, inputs: Mapping[str, Any]) -> None:
        self._inputs = dict(inputs)
        self._used: set[str] = set()
        # A unit at the end of a name (`margin_btc`) says in what, not what.
        self._plain: dict[str, str] = {}
        for name in inputs:
            stem, _, unit = name.rpartition("_")
            if unit.lower() in UNITS and stem:
                self._plain.setdefault(stem, name)

    def __contains__(self, wanted: str) -> bool:
        return self._key(wanted) is not None

    def raw(self, *names: str) -> Any:
        """The first of these very names that is there, else None."""
        for name in names:
            if name in self._inputs:
                self._used.add(name)
                return self._inputs[name]
        return None

    def find(self, wanted: str) -> Any:
        """Whatever the file has for a meaning, or None."""
        key = self._key(wanted)
        if key is None:
            return None
        self._used.add(key)
        return self._inputs[key]

    def name_of(self, wanted: str) -> str | None:
        """Under which name a meaning stands in the file."""
        return self._key(wanted)

    def number(self, wanted: str) -> float | None:
        """A number for a meaning, or None if there is nothing."""
        return as_number(self.find(wanted), self._key(wanted) or wanted)

    def need(self, *wanted: str) -> float:
        """The number of the first meaning that is there.

        Raises
        ------
        NotUnderstoodError
            If none is.
        """
        for one in wanted:
            found = self.number(one)
            if found is not None:
                return found
        raise NotUnderstoodError(f"the inputs name no {' or '.join(wanted)}")

    def amount(self, *names: str) -> float:
        """The number under the first of these very names.

        Raises
        ------
        NotUnderstoodError
            If none is there.
        """
        found = as_number(self.raw(*names), names[0])
        if found is None:
            raise NotUnderstoodError(f"the inputs have no {names[0]!r}")
        return found

    def rename(self, old: str, new: str) -> None:
        """Read one input by another name from here on."""
        if old in self._inputs and new not in self._inputs:
            self._inputs[new] = self._inputs.pop(old)

    def use(self, *names: str) -> None:
        """Count inputs as understood."""
        self._used.update(names)

    @property
    def sign(self) -> float:
        """+1 long, -1 short, from the side or from a signed size."""
        side = self.find("side")
        if side is None:
            signed = self.number("size")
            signed = self.number("contracts") if signed is None else signed
            return -1.0 if signed is not None and signed < 0 else 1.0
        return as_side(side)

    @property
    def unused(self) -> list[str]:
        """Inputs that nobody asked for."""
        return [name for name in self._inputs if name not in self._used | LABELS]

    def _key(self, wanted: str) -> str | None:
        for name in INPUTS.get(wanted, (wanted,)):
            if name in self._inputs:
                return name
            if name in self._plain:
                return self._plain[name]
        return None


@dataclass(frozen=True)
class Figure:
    """The name of an expected figure, taken apart.

    `kind` is one of `FIGURES`; `unit` a currency at its end; `number` an index or a price in it;
    `at_liquidation` whether it is meant at the liquidation price.
    """

    kind: str
    unit: str | None = None
    number: float | None = None
    at_liquidation: bool = False


def figure(name: str) -> Figure | None:
    """Take the name of a figure apart; None if it is none that is known."""
    stem = name
    at_liquidation = False
    for ending in ("_at_liquidation", "_at_liq"):
        if stem.endswith(ending):
            stem, at_liquidation = stem.removesuffix(ending), True
    unit = None
    number = None
    for _ in range(3):
        known = next((kind for kind, names in FIGURES.items() if stem in names), None)
        if known:
            return Figure(known, unit, number, at_liquidation)
        found = re.fullmatch(r"(?P<stem>[A-Za-z_]*?[A-Za-z])_?(?P<number>\d+(?:\.\d+)?)", stem)
        head, _, tail = stem.rpartition("_")
        if tail.lower() in UNITS and head:
            stem, unit = head, tail.lower()
        elif found:
            stem, number = found["stem"], float(found["number"])
        else:
            return None
    return None


def as_number(content: Any, name: str) -> float | None:
    """A float of a number or of a text that is one; None of nothing.

    Raises
    ------
    NotUnderstoodError
        If it is something else.
    """
    if content is None or content == "":
        return None
    if isinstance(content, bool) or not isinstance(content, (int, float, str)):
        raise NotUnderstoodError(f"input {name!r}: {content!r} is not a number")
    try:
        return float(content)
    except ValueError:
        raise NotUnderstoodError(f"input {name!r}: {content!r} is not a number") from None


def as_side(content: Any) -> float:
    """+1 or -1 of a side written as a number or as a word.

    Raises
    ------
    NotUnderstoodError
        If it is neither.
    """
    text = str(content).strip().lower()
    if text in ("long", "buy", "bid", "1", "1.0", "+1"):
        return 1.0
    if text in ("short", "sell", "ask", "-1", "-1.0"):
        return -1.0
    raise NotUnderstoodError(f"side {content!r} is neither long nor short")
