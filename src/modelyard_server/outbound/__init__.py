"""Connections to other machines: the only room that opens any."""
