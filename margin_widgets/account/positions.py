"""The positions of an account: a sequence that is also keyed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, MutableSequence
from contextlib import contextmanager
from operator import index as whole
from typing import TYPE_CHECKING, Any

from traitlets import HasTraits, TraitError, TraitType

from margin_widgets.account.position import Position
from margin_widgets.venues.rules import did_you_mean

if TYPE_CHECKING:
    from margin_widgets.account.account import Account


class Positions(MutableSequence[Position]):
    """Positions by number or by key: ``"BTCUSDT"``, or ``"BTCUSDT:long"`` where there are two legs.

    Appending, assigning and deleting are edits of the account.
    """

    def __init__(self, account: Account) -> None:
        self._account = account

    def _rows(self) -> tuple[Position, ...]:
        return self._account._rows

    def keys(self) -> list[str]:
        """Keys in order."""
        return keys_of(self._rows())

    def key_of(self, position: Position) -> str:
        """Key of a position held here."""
        return self.keys()[self.place(position)]

    def by_id(self, row: str) -> Position | None:
        """Position whose `Position.id` is `row`, if it is here."""
        return next((one for one in self._rows() if one.id == row), None)

    def place(self, which: int | str | Position) -> int:
        """Number of a position given by number, key or itself.

        Raises
        ------
        KeyError
            If a key is unknown or names two legs, or a position is not held here.
        TypeError
            If it is none of these.
        """
        rows = self._rows()
        if isinstance(which, Position):
            for number, row in enumerate(rows):
                if row is which:
                    return number
            raise KeyError(f"{which!r} is not a position of this account")
        if not isinstance(which, str):
            try:
                return range(len(rows))[whole(which)]
            except TypeError:
                raise TypeError(
                    f"positions: {which!r} is not a number, a key or a position"
                ) from None
        exact = [number for number, row in enumerate(rows) if row.symbol == which]
        if len(exact) == 1:
            return exact[0]
        if exact:
            raise KeyError(f"{which!r} has two legs: use '{which}:long' or '{which}:short'")
        symbol, _, side = which.rpartition(":")
        for number, row in enumerate(rows):
            if row.symbol == symbol and row.side == side:
                return number
        raise KeyError(f"no position {which!r}{did_you_mean(which, self.keys())}")

    def __getitem__(self, which: Any) -> Any:
        if isinstance(which, slice):
            return list(self._rows()[which])
        return self._rows()[self.place(which)]

    @contextmanager
    def _changing(self) -> Iterator[list[Position]]:
        """A list to change, whose positions are then the account's; all of it is one edit."""
        with self._account._writing("positions"):
            rows = list(self._rows())
            yield rows
            self._account.positions = rows

    def __setitem__(self, which: Any, position: Any) -> None:
        with self._changing() as rows:
            rows[which if isinstance(which, slice) else self.place(which)] = position

    def __delitem__(self, which: Any) -> None:
        with self._changing() as rows:
            del rows[which if isinstance(which, slice) else self.place(which)]

    def __len__(self) -> int:
        return len(self._rows())

    def __iter__(self) -> Iterator[Position]:
        return iter(self._rows())

    def __contains__(self, which: object) -> bool:
        if isinstance(which, Position):
            return any(row is which for row in self._rows())
        try:
            self.place(which)  # type: ignore[arg-type]
        except (KeyError, IndexError, TypeError):
            return False
        return True

    def insert(self, index: int, value: Position) -> None:
        """Insert a position before `index`."""
        with self._changing() as rows:
            rows.insert(index, value)

    def extend(self, values: Iterable[Position]) -> None:
        """Append several positions as one edit."""
        added = list(values)
        with self._changing() as rows:
            rows += added

    def pop(self, which: Any = -1) -> Position:
        """Take out a position given by key, number or itself and return it."""
        with self._changing() as rows:
            return rows.pop(self.place(which))

    def clear(self) -> None:
        """Take all positions out as one edit."""
        with self._changing() as rows:
            rows.clear()

    def reverse(self) -> None:
        """Turn the order round as one edit."""
        with self._changing() as rows:
            rows.reverse()

    def remove(self, value: Any) -> None:
        """Remove a position given by key, number or itself."""
        del self[self.place(value)]

    def __repr__(self) -> str:
        return f"[{', '.join(map(repr, self._rows()))}]"

    def _ipython_key_completions_(self) -> list[str]:
        return self.keys()


class PositionRows(TraitType[Any, Any]):
    """The trait behind `Account.positions`."""

    info_text = "a sequence of positions"

    def default(self, obj: Any = None) -> Any:
        """No positions."""
        return ()

    def get(self, obj: HasTraits, cls: Any = None) -> Any:
        """Return the keyed view."""
        return Positions(obj)  # type: ignore[arg-type]

    def set(self, obj: Any, content: Any) -> None:
        """Take over the positions and notify with tuples of them."""
        rows = checked_rows(obj, content)
        old = obj._rows
        if len(old) != len(rows) or any(a is not b for a, b in zip(old, rows, strict=True)):
            for row in rows:
                row._join(obj)
            # What joined only within the present edit is free at once; what was there before
            # stays until the edit is sound.
            staying = {id(row) for row in (*rows, *obj._known_rows)}
            for row in old:
                if id(row) not in staying:
                    row._leave()
            obj._rows = rows
            obj._notify_trait(self.name, old, rows)


def checked_rows(account: Any, content: Iterable[Position]) -> tuple[Position, ...]:
    """Positions that may belong to `account`."""
    try:
        rows = tuple(content)
    except TypeError:
        raise TraitError(f"positions: {content!r} is not a sequence of positions") from None
    for number, row in enumerate(rows):
        if not isinstance(row, Position):
            raise TraitError(f"positions[{number}]: {row!r} is not a Position")
        if row._account is not None and row._account is not account:
            raise TraitError(
                f"positions[{number}]: {row.symbol} belongs to another account; give a copy of it,"
                " position.copy(), or take it out there first"
            )
        if any(row is other for other in rows[:number]):
            raise TraitError(f"positions[{number}]: {row.symbol} is listed twice")
    return rows


def keys_of(rows: Iterable[Any]) -> list[str]:
    """Keys of rows with a symbol and a side: the symbol alone where it stands once."""
    rows = list(rows)
    count: dict[str, int] = {}
    for row in rows:
        count[row.symbol] = count.get(row.symbol, 0) + 1
    return [row.symbol if count[row.symbol] == 1 else f"{row.symbol}:{row.side}" for row in rows]
