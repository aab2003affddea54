"""Takes secrets out of text that a person typed. Better one word too many than a password in a registry."""

import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Final

MASK: Final = "***"

_MAX_CHARACTERS: Final = 4096
"""Longer text is masked as a whole: it is data, no setting, and not worth the time to look it through."""

_SECRET_ENDINGS: Final = (
    *("password", "passwords", "passwd", "passphrase", "secret", "secrets", "token", "apikey", "accesskey"),
    *("credential", "credentials", "bearer", "cookie", "passcode", "pincode"),
)
_SECRET_WORDS: Final = frozenset(
    {"pass", "pwd", "pw", "pat", "key", "keys", "auth", "authorization", "dsn", "sas", "sig"}
)
_SECRET_LAST_WORDS: Final = frozenset({"pin", "otp", "totp"})
"""Secret only at the end of a name: ``--pin-memory`` is none."""
_SHORT_OPTION: Final = "-p"
_COMMIT_WORDS: Final = frozenset(
    {"commit", "sha", "sha1", "rev", "revision", "ref", "checkout", "head", "base", "tree", "snapshot", "snapshots"}
)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORDS: Final = re.compile(r"[A-Za-z0-9]+")

_OPTION: Final = re.compile(r"--[A-Za-z][\w.:-]*(?:=.*)?|-[A-Za-z]", re.DOTALL)
# Names in text, each looked at once: `--token=…`, `+db.password=…`, `"api_key": …`, `Authorization: …`, `… --token …`.
_ASSIGNED: Final = re.compile(
    r"(?<![\w.-])(?:(?P<name>[\w.-]++)[\"']?\s*+[=:]\s*+(?!//)|(?P<option>--?[A-Za-z][\w.-]*+)\s++(?!-))"
)
# `-u name:password`, as of curl; and `-phunter2`, as of mysql, where a digit tells it from a word such as `-profile`.
_LOGIN: Final = re.compile(r"(?<!\S)(?P<option>-u\s*+=?|--?user(?:name)?(?:\s++|=))\s*+[^\s:/=-][^\s:/]*+:(?!//)\S++")
_JOINED: Final = re.compile(r"-p(?=[^\s=]*\d)[^\s=-]\S*")
_USER_OPTIONS: Final = frozenset({"-u", "--user", "--username", "-user"})
_USER_AND_PASSWORD: Final = re.compile(r"[^\s:/]+:(?!//)\S+")
_COMMIT: Final = re.compile(r"[0-9a-f]{40}")
_BEARER: Final = re.compile(r"\bbearer\s+(?=\S)", re.IGNORECASE)
_WORD: Final = re.compile(r"\S++")
_USER_INFO: Final = re.compile(r"(?P<scheme>\w://)(?!git@)(?:[^\s/:@]*:\S*|[^\s/?#]*)@")
# Of services whose keys can be told by their looks.
_KEYS: Final = re.compile(
    r"-----BEGIN[ \w]*PRIVATE KEY.*"
    r"|\b(?:AKIA|ASIA)[0-9A-Z]{12,}"
    r"|\b(?:gh[pousr]_|github_pat_|glpat-|hf_|[rs]k_live_|xox[abeoprs]-|npm_|pypi-|dop_v1_|AIza|ya29\.|SG\.|dapi)[\w.-]{16,}"
    r"|\bsk-[\w-]{20,}"
    r"|\beyJ[\w-]{5,}\.[\w-]{5,}(?:\.[\w-]*)*",
    re.DOTALL,
)
# Names of bytes and of commits, which are no secrets: `sha256:…`, `model@…`, `…/snapshots/…`.
_DIGEST: Final = re.compile(
    r"\b(?:sha1|sha256|sha512|md5|blake3):[0-9a-f]{32,128}\b"
    r"|(?:(?<=@)|(?<=/snapshots/)|(?<=/commit/)|(?<=/tree/)|(?<=checkout ))[0-9a-f]{40}\b"
)
_LONG: Final = re.compile(r"[A-Za-z0-9+/_.~-]{16,}={0,2}")
_HEX: Final = re.compile(r"[0-9a-fA-F]{32,}")
_RUN: Final = re.compile(r"[A-Za-z0-9]{16,}")
_MIN_CHANGES: Final = 0.25
"""Share of neighbours of different kinds (lower, upper, digit): words have less, random text has 0.4 to 0.6."""


def mask_text(text: str) -> str:
    """``text`` without credentials in addresses, without known kinds of keys and without what is named a secret."""
    if len(text) > _MAX_CHARACTERS:
        return MASK
    text = _WORD.sub(_without_user_info, text)
    text = _KEYS.sub(MASK, text)
    text = _LOGIN.sub(rf"\g<option>{MASK}", text)
    cuts = [match.end() for match in _ASSIGNED.finditer(text) if _is_secret(match["name"] or match["option"])]
    cuts += [match.end() for match in _BEARER.finditer(text)]
    # Nothing tells where a secret ends that may hold any character: the rest goes too.
    return text[: min(cuts)] + MASK if cuts and text[min(cuts) :] else text


def _without_user_info(word: re.Match[str]) -> str:
    # User info ends in an @. Behind the last one there is none to look for, which would take long in a long word.
    before, at, after = word.group().rpartition("@")
    return _USER_INFO.sub(rf"\g<scheme>{MASK}@", before + at) + after


def mask_arguments(arguments: Sequence[str]) -> tuple[str, ...]:
    """A command line without its secrets: values of options that are named like one, and all that looks like one."""
    return tuple(_masked(arguments))


def _masked(arguments: Sequence[str]) -> Iterator[str]:
    before = ""
    for argument in arguments:
        option = _OPTION.fullmatch(argument) is not None
        yield argument if _is_commit(argument, before) else _masked_argument(argument, before, option=option)
        before = argument if option and "=" not in argument else ""


def _masked_argument(argument: str, before: str, *, option: bool) -> str:
    """One argument; ``before`` is the option that it may be the value of."""
    login = before in _USER_OPTIONS and _USER_AND_PASSWORD.fullmatch(argument) is not None
    if not option and (login or (before and _is_secret(before))):
        return MASK
    if _JOINED.fullmatch(argument):
        return f"-p{MASK}"
    return _mask_random(mask_text(argument))


def _is_commit(argument: str, before: str) -> bool:
    """Whether it is the id of a commit: alone, or as the value of what is named like one."""
    name, equals, value = argument.rpartition("=")
    name = name if equals else before
    if _COMMIT.fullmatch(value) is None or _is_secret(name):
        return False
    return not name or not _COMMIT_WORDS.isdisjoint(_words_of(name))


def _words_of(name: str) -> list[str]:
    return [word.lower() for word in _WORDS.findall(_CAMEL.sub(" ", name).replace("_", " "))]


def _is_secret(name: str) -> bool:
    words = _words_of(name)
    return (
        name == _SHORT_OPTION
        or (bool(words) and words[-1] in _SECRET_LAST_WORDS)
        or "".join(words).endswith("pincode")
        or any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDINGS) for word in words)
    )


def _mask_random(text: str) -> str:
    parts, end = [], 0
    for digest in _DIGEST.finditer(text):  # the name of some bytes, no secret
        parts += [_LONG.sub(_mask_if_random, text[end : digest.start()]), digest.group()]
        end = digest.end()
    return "".join([*parts, _LONG.sub(_mask_if_random, text[end:])])


def _mask_if_random(match: re.Match[str]) -> str:
    return MASK if any(map(_is_random, _RUN.findall(match.group()))) else match.group()


def _is_random(run: str) -> bool:
    if _HEX.fullmatch(run):
        return True
    changes = sum(_kind(one) is not _kind(other) for one, other in pairwise(run))
    return changes >= _MIN_CHANGES * (len(run) - 1)


def _kind(character: str) -> str:
    return "digit" if character.isdigit() else "upper" if character.isupper() else "lower"
