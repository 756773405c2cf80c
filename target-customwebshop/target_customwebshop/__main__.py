"""Lets `python -m target_customwebshop` run the target."""

from __future__ import annotations

from target_customwebshop.target import TargetCustomWebShop

TargetCustomWebShop.cli()
