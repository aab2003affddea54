"""Connections to other machines. No other folder opens any."""
