"""The frame of `fsck`: what a check reads with, and where it reports. Each capability brings its checks."""
