"""Adapters: a case becomes accounts or arguments, and results become the figures it expects."""
