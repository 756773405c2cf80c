"""The tap as a program: `tap-powerofficego`, or `python -m tap_powerofficego`."""

from __future__ import annotations

from target_powerofficego.plugin.loading import loading

with loading():
    from tap_powerofficego.tap import TapPowerOfficeGo


def main() -> None:
    """Run the tap."""
    TapPowerOfficeGo.cli()


if __name__ == "__main__":
    main()
