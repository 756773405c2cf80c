"""The tap as a program: `tap-customwebshop`, or `python -m tap_customwebshop`."""

from __future__ import annotations

from tap_customwebshop.plugin.loading import loading

with loading():
    from tap_customwebshop.tap import TapCustomWebShop


def main() -> None:
    """Run the tap."""
    TapCustomWebShop.cli()


if __name__ == "__main__":
    main()
