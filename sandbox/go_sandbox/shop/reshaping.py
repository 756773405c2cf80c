"""Reshapes what is written to the shop, as many shops do without a word."""

from __future__ import annotations

import re
from decimal import ROUND_HALF_UP, Context, Decimal
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from go_sandbox.shop.contract import Field, Fields
    from go_sandbox.shop.shelf import Record

_ORE = Decimal("0.01")


def reshaped(fields: Fields, values: Mapping[str, Any]) -> Record:
    """Return values of the right types as the shop would keep them.

    Text is trimmed and its doubled spaces become one, a phone number loses all its spaces, and
    money is rounded to two decimals, half up.
    """
    return {name: _reshaped(fields[name], value) for name, value in values.items()}


def _reshaped(field: Field, value: Any) -> Any:  # noqa: ANN401
    if value is None:
        return None
    if field.kind == "text":
        return re.sub(" {2,}", " ", value.strip())
    if field.kind == "phone":
        return re.sub(r"\s+", "", value)
    if field.kind == "amount":
        digits = Context(prec=len(value) + 2)
        return f"{Decimal(value).quantize(_ORE, ROUND_HALF_UP, digits):f}"
    if field.inner is None:
        return value
    if field.kind == "list":
        return [reshaped(field.inner, row) for row in value]
    return reshaped(field.inner, value)
