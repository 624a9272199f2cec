"""What a venue's rules are: one data file per rule set, its loader and its checks.

>>> "binance-usdm" in names()
True
"""

from margin_widgets.venues.loading import (
    from_json,
    from_mapping,
    generic,
    get,
    load,
    names,
    to_mapping,
)
from margin_widgets.venues.rules import (
    Contract,
    OpenInterest,
    RatioConvention,
    RuleError,
    RuleSet,
    Tier,
)

__all__ = [
    "Contract",
    "OpenInterest",
    "RatioConvention",
    "RuleError",
    "RuleSet",
    "Tier",
    "from_json",
    "from_mapping",
    "generic",
    "get",
    "load",
    "names",
    "to_mapping",
]
