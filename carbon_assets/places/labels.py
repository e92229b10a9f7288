"""Keys and names as read from attribute columns."""

from __future__ import annotations

import math
import unicodedata
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import numpy as np

from carbon_assets.places.model import Rejection

MAX_KEY_LENGTH = 100
MAX_NAME_LENGTH = 200
_KEY_PUNCTUATION = frozenset(" -_.,:/#()&'+")


def text_of(value: Any) -> str | None:
    """Return an attribute as text, in Unicode NFC; null where there is none.

    Whole numbers lose their decimal point, since a column of integers with gaps is read as
    floating point.
    """
    if value is None or _is_missing(value):
        return None
    if isinstance(value, float | np.floating) and value.is_integer():
        value = int(value)
    text = unicodedata.normalize("NFC", str(value))
    return text if text.strip() else None


def _is_missing(value: Any) -> bool:
    if isinstance(value, float | np.floating):
        return math.isnan(value)
    # The missing values of pandas and numpy, named so as not to import pandas for them.
    return not isinstance(value, str) and str(value) in {"NaT", "<NA>"}


def key_fault(key: str) -> str | None:
    """Say what makes a key unusable, or None.

    A usable key has at most 100 characters: letters (with their marks) and digits of any
    script, spaces inside, and ``- _ . , : / # ( ) & ' +``, with at least one letter or digit.
    """
    if len(key) > MAX_KEY_LENGTH:
        return f"it has {len(key)} characters, more than {MAX_KEY_LENGTH}"
    if key != key.strip():
        return "it begins or ends with a space"
    bad = sorted({char for char in key if not _is_key_character(char)})
    if bad:
        return f"it has {', '.join(map(_spell, bad))}"
    if not any(char.isalnum() for char in key):
        return "it has neither a letter nor a digit"
    return None


def _is_key_character(char: str) -> bool:
    return char.isalnum() or unicodedata.category(char)[0] == "M" or char in _KEY_PUNCTUATION


def _spell(char: str) -> str:
    return f"'{char}'" if char.isprintable() else f"U+{ord(char):04X}"


def name_fault(name: str) -> str | None:
    """Say what makes a name unusable (control characters, over 200 characters), or None."""
    if len(name) > MAX_NAME_LENGTH:
        return f"it has {len(name)} characters, more than {MAX_NAME_LENGTH}"
    if not name.isprintable():
        bad = sorted({char for char in name if not char.isprintable()})
        return f"it has {', '.join(map(_spell, bad))}"
    return None


def key_rejections(features: Sequence[str], keys: Sequence[str | None]) -> list[Rejection]:
    """Reject features whose key is missing, unusable, or shared with another feature.

    Of features that share a key none is accepted: which one was meant is not known here.
    """
    holders: dict[str | None, list[str]] = defaultdict(list)
    for feature, key in zip(features, keys, strict=True):
        holders[key].append(feature)
    found = []
    for feature, key in zip(features, keys, strict=True):
        if key is None:
            found.append(_missing(feature))
        elif fault := key_fault(key):
            found.append(_unusable(feature, key, fault))
        elif len(holders[key]) > 1:
            found.append(_shared(feature, key, holders[key]))
    return found


def _missing(feature: str) -> Rejection:
    return Rejection(
        feature,
        None,
        "PLACE_KEY_MISSING",
        "The key column is empty.",
        "Give every feature a key of its own.",
    )


def _unusable(feature: str, key: str, fault: str) -> Rejection:
    return Rejection(
        feature,
        key,
        "PLACE_KEY_INVALID",
        f"The key {key!r:.120} is not usable: {fault}.",
        "Use letters, digits, spaces inside and any of - _ . , : / # ( ) & ' +, at most "
        f"{MAX_KEY_LENGTH} characters.",
    )


def _shared(feature: str, key: str, holders: list[str]) -> Rejection:
    return Rejection(
        feature,
        key,
        "PLACE_KEY_DUPLICATE",
        f"The key '{key}' stands on {len(holders)} features: {', '.join(holders[:10])}.",
        "Give every feature a key of its own; merge the parts of one place into a multipolygon.",
    )


def label_rejection(
    feature: str, key: str | None, what: str, value: str | None
) -> Rejection | None:
    """Check a feature's ``name`` or ``project`` column; an empty one is no fault.

    Args:
        feature: Feature id.
        key: The feature's key.
        what: ``name`` or ``project``; a project is a key.
        value: The column's text.
    """
    if value is None:
        return None
    fault = key_fault(value) if what == "project" else name_fault(value)
    if fault is None:
        return None
    return Rejection(
        feature,
        key,
        f"PLACE_{what.upper()}_INVALID",
        f"The {what} {value!r:.120} is not usable: {fault}.",
        f"Correct the {what} column.",
    )
