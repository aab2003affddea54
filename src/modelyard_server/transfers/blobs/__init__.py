"""The blobs of a namespace: find them, store small ones, and lease them to a push."""
