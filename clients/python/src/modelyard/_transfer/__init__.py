"""Bytes between this machine's disk and a registry: :mod:`.upload` and :mod:`.download`.

Neither hashes nor touches a disk on the event loop. One thread hop moves a batch of several messages, and the next
batch travels while the last is hashed and written: a hop awaited per message halves the throughput.
"""
