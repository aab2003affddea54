"""Paths that mean something else somewhere, by the rows of the attack table they come from."""

HOSTILE_PATHS = {
    "A01": ("../../etc/passwd", "a/../../b"),
    "A02": ("/etc/passwd", "//h/s", "~/.ssh/x"),
    "A03": ("", ".", "a//b", "a/./b", "a/"),
    "A04": ("..\\..\\x", "C:\\x", "C:x", "\\\\host\\share\\x"),
    "A05": ("%2e%2e%2f", "%00", "http:///#/../../etc", "file:///etc"),
    "A06": ("a\x00b", "a\rb", "a\nb", "a\x1b[0m", "a\u202eb", "a\u200bb", "\ufeffa"),
    "A09": ("a.", "a ", "a:b", "dir/C:x", 'a"b'),
    "A10": ("x" * 256, "/".join(["y" * 200] * 6), "/".join("z" * 33)),
}

UNPORTABLE_PATHS = (
    "CON",
    "nul.txt",
    "dir/aux.py",
    "a<b",
    "run 10:30.log",
    "what?",
    "a%20b",
    "~x",
    "\U0001f468\u200d\U0001f469.png",
)
"""Paths that some systems can't use, and that no system reads as another path."""
