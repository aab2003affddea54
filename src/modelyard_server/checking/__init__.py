"""The framework of `fsck`: the tools of a check and its report. Each capability has its own checks."""
