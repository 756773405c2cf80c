"""Lets `python -m tap_customwebshop` run the tap."""

from __future__ import annotations

from tap_customwebshop.tap import TapCustomWebShop

TapCustomWebShop.cli()
