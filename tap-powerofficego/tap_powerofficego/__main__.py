"""Lets `python -m tap_powerofficego` run the tap."""

from __future__ import annotations

from tap_powerofficego.tap import TapPowerOfficeGo

TapPowerOfficeGo.cli()
