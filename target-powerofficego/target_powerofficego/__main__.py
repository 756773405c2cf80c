"""Lets `python -m target_powerofficego` run the target."""

from __future__ import annotations

from target_powerofficego.target import TargetPowerOfficeGo

TargetPowerOfficeGo.cli()
