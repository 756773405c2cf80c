"""The settings of target-customwebshop, checked and typed."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tap_customwebshop.settings import address_fault, token_fault, user_agent_fault
from tap_customwebshop.shop.reading import configured_file
from target_powerofficego.errors import SettingsError
from target_powerofficego.settings.both_ways import SideReader, SideSettings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from tap_customwebshop.shop.loading import ShopFile


@dataclass(frozen=True, kw_only=True)
class BackSettings(SideSettings):
    """The settings of one run of the way back."""

    api_url: str
    auth_token: str
    shop: ShopFile | None = None
    shop_settings: Mapping[str, str] = field(default_factory=dict)
    user_agent: str = ""
    page_size: int = 500
    order_lines_back: bool = False

    @classmethod
    def from_config(cls, config: Mapping[str, Any]) -> BackSettings:
        """Check and type a config that fits the schema.

        Raises:
            SettingsError: some settings are invalid; it has a line for each.
            ShopFileError: the shop file is invalid.
        """
        reader = SideReader(config)
        common_settings = reader.common_settings()
        has_shop_file, token = bool(config.get("shop")), config["auth_token"]
        errors = [
            f"{name} {fault}"
            for name, fault in (
                ("api_url", address_fault(config["api_url"])),
                ("auth_token", None if has_shop_file and not token else token_fault(token)),
                ("user_agent", user_agent_fault(config.get("user_agent") or "")),
            )
            if fault
        ]
        if errors or reader.errors:
            raise SettingsError([*errors, *reader.errors])
        return cls(
            **common_settings,
            api_url=config["api_url"],
            auth_token=token,
            shop=configured_file(config) if has_shop_file else None,
            shop_settings=config.get("shop_settings") or {},
            user_agent=config.get("user_agent") or "",
            page_size=config["page_size"],
            order_lines_back=config["order_lines_back"],
        )
