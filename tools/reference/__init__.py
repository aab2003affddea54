"""Writes the reference pages of the documentation from the code, the contract and the settings.

Nothing in ``docs/reference`` is written by hand: a page that is made at each build is never stale.
"""
