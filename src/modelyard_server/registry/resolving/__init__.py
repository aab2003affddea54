"""From a reference to the version that it means now, or meant at a time."""
