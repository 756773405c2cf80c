"""The program `target-customwebshop`, also run by `python -m target_customwebshop`."""

from __future__ import annotations

from target_powerofficego.plugin.loading import loading

with loading():
    from target_customwebshop.target import TargetCustomWebShop


def main() -> None:
    """Run the target."""
    TargetCustomWebShop.cli()


if __name__ == "__main__":
    main()
