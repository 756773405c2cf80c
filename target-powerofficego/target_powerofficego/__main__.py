"""The target as a program: `target-powerofficego`, or `python -m target_powerofficego`."""

from __future__ import annotations

from target_powerofficego.plugin.loading import loading

with loading():
    from target_powerofficego.target import TargetPowerOfficeGo


def main() -> None:
    """Run the target."""
    TargetPowerOfficeGo.cli()


if __name__ == "__main__":
    main()
