"""The settings of target-customwebshop, checked and typed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tap_customwebshop.settings import wrong_address, wrong_token
from target_powerofficego.errors import SettingsError
from target_powerofficego.settings.both_ways import SideReader, SideSettings

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, kw_only=True)
class BackSettings(SideSettings):
    """The settings of one run of the way back."""

    api_url: str
    auth_token: str
    order_lines_back: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> BackSettings:
        """Check and type a config that fits the schema.

        Raises:
            SettingsError: with one line for each setting that cannot be valid.
        """
        reader = SideReader(config)
        of_either_way = reader.of_either_way()
        wrong = [
            f"{name} {why}"
            for name, why in (
                ("api_url", wrong_address(config["api_url"])),
                ("auth_token", wrong_token(config["auth_token"])),
            )
            if why
        ]
        if wrong or reader.wrong:
            raise SettingsError([*wrong, *reader.wrong])
        return cls(
            **of_either_way,
            api_url=config["api_url"],
            auth_token=config["auth_token"],
            order_lines_back=config["order_lines_back"],
        )
