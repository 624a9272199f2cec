"""ccxt's unified symbols: BASE/QUOTE:SETTLE-EXPIRY."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any

from margin_widgets.io.ccxt_number import RowError
from margin_widgets.venues import Contract
from margin_widgets.venues.rules import DOLLARS

_UNIFIED = re.compile(
    r"(?P<base>[^/:]+(?::[^/:]+)?)/(?P<quote>[^/:]+):(?P<settle>[^/:-]+)"
    r"(?:-(?P<expiry>\d{6}))?(?P<option>-.+)?"
)


@dataclass(frozen=True)
class Market:
    """What a symbol says of its contract.

    Attributes
    ----------
    symbol : str
    contract : Contract
        Without the multiplier, which positions state.
    known : bool
        Whether the symbol was a unified one; else nothing but its name is known.
    """

    symbol: str
    contract: Contract
    known: bool

    @property
    def inverse(self) -> bool:
        """Whether profit and loss are in the base coin."""
        return self.contract.kind == "inverse"

    @property
    def settle(self) -> str | None:
        """Asset of profit and loss."""
        return self.contract.settle

    def sized(self, contract_size: float) -> Contract:
        """Return the contract as rules hold it: linear sizes are in coin, inverse in contracts."""
        return replace(self.contract, multiplier=contract_size) if self.inverse else self.contract


def read_symbol(symbol: Any, currency: str) -> Market:
    """Contract behind a symbol; one that is not unified is taken as linear in `currency`.

    Raises
    ------
    RowError
        For options, spot and contracts settled in a third currency.

    Examples
    --------
    >>> read_symbol("BTC/USD:BTC", "USDT").contract.kind
    'inverse'
    """
    if not isinstance(symbol, str) or not symbol.strip():
        raise RowError(f"symbol: {symbol!r} is not a name")
    parts = _UNIFIED.fullmatch(symbol)
    if parts is None:
        if "/" in symbol:
            raise RowError("symbol: a spot market, not a contract (BASE/QUOTE:SETTLE)")
        return Market(symbol, Contract(settle=currency), known=False)
    base, quote, settle, expiry = parts["base"], parts["quote"], parts["settle"], parts["expiry"]
    if parts["option"]:
        raise RowError("symbol: options are not modelled")
    inverse = settle == base and quote != base
    if not inverse and settle != quote and not (settle in DOLLARS and quote in DOLLARS):
        raise RowError(f"symbol: contracts on {base}/{quote} settled in {settle} are not modelled")
    date = f"20{expiry[:2]}-{expiry[2:4]}-{expiry[4:]}" if expiry else None
    kind = "inverse" if inverse else "linear"
    contract = Contract(kind=kind, base=base, quote=quote, settle=settle, expiry=date)  # type: ignore[arg-type]
    return Market(symbol, contract, known=True)
