"""The judge: one account, computed slowly and plainly in decimals.

Nothing here is shared with the package. A book is a plain dict (see `strategies.py`), every
number becomes a `Decimal`, and every figure is a loop over positions.
"""
