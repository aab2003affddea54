"""One call, by any protocol: caller, deadline, limits, stages, errors, and how its fields are read."""
