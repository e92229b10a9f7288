from __future__ import annotations

from typing import Any

import numpy as np
import pandas
import pytest

from carbon_assets.places.labels import key_fault, name_fault, text_of


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("F-1", "F-1"),
        (7, "7"),
        (np.int64(7), "7"),
        (7.0, "7"),
        (np.float32(7.0), "7"),
        (7.5, "7.5"),
        (12345678901234567.0, "12345678901234568"),
        ("7.0", "7.0"),
        ("NaT", "NaT"),
        ("", None),
        (" \t", None),
        (None, None),
        (float("nan"), None),
        (np.float32("nan"), None),
        (pandas.NA, None),
        (pandas.NaT, None),
        (np.datetime64("NaT"), None),
    ],
)
def test_attribute_values_as_text(value: Any, text: str | None) -> None:
    assert text_of(value) == text


def test_faults_name_the_offending_characters() -> None:
    assert key_fault("a/b (c) & d's #1") is None
    assert key_fault("a\u0007?") == "it has U+0007, '?'"
    assert name_fault("Fazenda «Boa Vista», 2ª parte?") is None
    assert name_fault("a\nb") == "it has U+000A"
