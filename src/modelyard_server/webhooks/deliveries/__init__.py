"""Deliveries of events to webhooks, in order and at least once."""
