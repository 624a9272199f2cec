"""One position as a person edits it."""

from __future__ import annotations

import itertools
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any
from weakref import ref

from traitlets import HasTraits, TraitError, TraitType

from margin_widgets.account.checks import Number
from margin_widgets.account.strict import Strict
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    from margin_widgets.account.account import Account

MARGIN_MODES = ("cross", "isolated")
FIELDS = ("symbol", "quantity", "entry_price", "leverage", "margin", "margin_mode")
_ids = itertools.count(1)
_REQUIRED: Any = object()  # checked by hand, so that a misspelt name is told before a missing one


class MarginMode(TraitType[str, Any]):
    """Either margin mode; anything else is named in the error."""

    default_value = "cross"
    info_text = "'cross' or 'isolated'"

    def validate(self, obj: HasTraits, content: object) -> str:
        """Check the choice."""
        if content not in MARGIN_MODES:
            hint = did_you_mean(str(content), MARGIN_MODES)
            where = f"{getattr(obj, 'label', '')} margin_mode".strip()
            raise TraitError(f"{where}: {content!r} must be 'cross' or 'isolated'{hint}")
        return str(content)


class SymbolName(TraitType[str, Any]):
    """A symbol: text from outside, kept as it is."""

    default_value = ""
    info_text = "a symbol"

    def validate(self, obj: HasTraits, content: object) -> str:
        """Refuse what is empty or not text."""
        if not isinstance(content, str) or not content.strip():
            raise TraitError(f"symbol: {content!r} must be a name, not empty")
        if content.strip().endswith((":long", ":short")):
            raise TraitError(
                f"symbol: {content!r} must not end in ':long' or ':short', which name the legs of"
                " a symbol"
            )
        return content.strip()


class Position(Strict):
    """A position in one contract.

    Parameters
    ----------
    symbol : str
    quantity : float
        Signed: positive is long, negative short. In coin for linear contracts, in contracts for
        inverse ones. Not zero.
    entry_price : float
        Average open price, > 0.
    leverage : float
        Setting that divides the notional into initial margin, > 0. In cross margin it only changes
        what is reserved; in isolated margin it sets the margin assigned at entry.
    margin : float, optional
        Margin assigned in isolated mode, in the settlement asset, >= 0. None: the initial margin
        at entry.
    margin_mode : {"cross", "isolated"}
        Mode in which the position is really held.

    Raises
    ------
    TraitError
        Naming field, value and bound.

    Examples
    --------
    >>> Position("BTCUSDT", quantity=0.5, entry_price=100_000, leverage=10).side
    'long'
    """

    symbol = SymbolName(help="name of the contract")
    quantity = Number(1.0, nonzero=True, help="signed size: coin (linear) or contracts (inverse)")
    entry_price = Number(1.0, above=0.0, help="average open price")
    leverage = Number(10.0, above=0.0, high=1000.0, help="leverage setting")
    margin = Number(
        None, low=0.0, allow_none=True, help="margin assigned in isolated mode; None: at entry"
    )
    margin_mode = MarginMode(help="'cross' or 'isolated'")

    _id: str = ""
    _owner: ref[Account] | None = None

    def __init__(
        self,
        symbol: str,
        quantity: float = _REQUIRED,
        entry_price: float = _REQUIRED,
        leverage: float = 10.0,
        margin: float | None = None,
        margin_mode: str = "cross",
        **unknown: Any,
    ) -> None:
        for name in unknown:
            raise TypeError(f"Position: unknown argument {name!r}{did_you_mean(name, FIELDS)}")
        for name, given in (("quantity", quantity), ("entry_price", entry_price)):
            if given is _REQUIRED:
                raise TypeError(f"Position: {name} is required")
        self._id = f"p{next(_ids)}"
        super().__init__()
        for name, content in zip(
            FIELDS, (symbol, quantity, entry_price, leverage, margin, margin_mode), strict=True
        ):
            setattr(self, name, content)

    @property
    def id(self) -> str:
        """What follows the position through edits and undo."""
        return self._id

    @property
    def label(self) -> str:
        """How errors call this position."""
        return str(self.symbol)

    @property
    def side(self) -> str:
        """'long' or 'short', from the sign of the quantity."""
        return "long" if self.quantity > 0 else "short"

    @property
    def key(self) -> str:
        """Key in its account: the symbol, with the side where the symbol has two legs."""
        account = self._account
        return account.positions.key_of(self) if account else str(self.symbol)

    @property
    def _account(self) -> Account | None:
        """The account that holds this position; one that is gone does not."""
        return self._owner() if self._owner else None

    def _join(self, account: Account, row: str | None = None) -> None:
        """Belong to an account, there as the row of that id if one is given."""
        self._owner = ref(account)
        self._id = row or self._id

    def _leave(self) -> None:
        """Leave the account; from here on another row, even if it joins again."""
        self._owner = None
        self._id = f"p{next(_ids)}"

    def copy(self) -> Position:
        """Return a position of its own with the same fields, in no account."""
        return Position(**self.to_dict())

    def __copy__(self) -> Position:
        return self.copy()

    def __deepcopy__(self, memo: object) -> Position:
        return self.copy()

    def __reduce__(self) -> tuple[Any, ...]:
        return Position, tuple(self.to_dict().values())

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as plain data."""
        return {name: getattr(self, name) for name in FIELDS}

    def notify_change(self, change: Any) -> None:
        """Hand changes to the account, which notifies once its transaction is sound."""
        account = self._account
        if account is not None and change["name"] in FIELDS:
            account._changed(self, change)
        else:
            super().notify_change(change)

    def _writing(self, name: str) -> AbstractContextManager[object]:
        account = self._account if name in FIELDS else None
        return account._writing("positions") if account else nullcontext()

    def __repr__(self) -> str:
        parts = ", ".join(f"{name}={getattr(self, name)!r}" for name in FIELDS[1:])
        return f"Position({self.symbol!r}, {parts})"
