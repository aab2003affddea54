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
    *("credential", "credentials", "bearer", "cookie"),
)
_SECRET_WORDS: Final = frozenset(
    {"pass", "pwd", "pw", "pat", "key", "keys", "auth", "authorization", "dsn", "sas", "sig"}
)
_CAMEL: Final = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_WORDS: Final = re.compile(r"[A-Za-z0-9]+")

_OPTION: Final = re.compile(r"--[A-Za-z][\w.:-]*(?:=.*)?|-[A-Za-z]", re.DOTALL)
# Names in text, each looked at once: `--token=…`, `+db.password=…`, `"api_key": …`, `Authorization: …`, `… --token …`.
_ASSIGNED: Final = re.compile(
    r"(?<![\w.-])(?:(?P<name>[\w.-]++)[\"']?\s*+[=:]\s*+(?!//)|(?P<option>--?[A-Za-z][\w.-]*+)\s++(?!-))"
)
_BEARER: Final = re.compile(r"\bbearer\s+(?=\S)", re.IGNORECASE)
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
_DIGEST: Final = re.compile(r"\b(?:sha1|sha256|sha512|md5|blake3):[0-9a-f]{32,128}\b")
_LONG: Final = re.compile(r"[A-Za-z0-9+/_.~-]{16,}={0,2}")
_HEX: Final = re.compile(r"[0-9a-fA-F]{32,}")
_RUN: Final = re.compile(r"[A-Za-z0-9]{16,}")
_MIN_CHANGES: Final = 0.25
"""Share of neighbours of different kinds (lower, upper, digit): words have less, random text has 0.4 to 0.6."""


def mask_text(text: str) -> str:
    """``text`` without credentials in addresses, without known kinds of keys and without what is named a secret."""
    if len(text) > _MAX_CHARACTERS:
        return MASK
    text = _USER_INFO.sub(rf"\g<scheme>{MASK}@", text)
    text = _KEYS.sub(MASK, text)
    cuts = [match.end() for match in _ASSIGNED.finditer(text) if _is_secret(match["name"] or match["option"])]
    cuts += [match.end() for match in _BEARER.finditer(text)]
    # Nothing tells where a secret ends that may hold any character: the rest goes too.
    return text[: min(cuts)] + MASK if cuts and text[min(cuts) :] else text


def mask_arguments(arguments: Sequence[str]) -> tuple[str, ...]:
    """A command line without its secrets: values of options that are named like one, and all that looks like one."""
    return tuple(_masked(arguments))


def _masked(arguments: Sequence[str]) -> Iterator[str]:
    secret_next = False
    for argument in arguments:
        option = _OPTION.fullmatch(argument) is not None
        yield MASK if secret_next and not option else _mask_random(mask_text(argument))
        secret_next = option and "=" not in argument and _is_secret(argument)


def _is_secret(name: str) -> bool:
    words = [word.lower() for word in _WORDS.findall(_CAMEL.sub(" ", name).replace("_", " "))]
    return any(word in _SECRET_WORDS or word.endswith(_SECRET_ENDINGS) for word in words)


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
