"""What every walk into the shop works with, one set a run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from target_powerofficego.settle.context import RunTools

if TYPE_CHECKING:
    from target_customwebshop.settings import BackSettings
    from target_customwebshop.shop_records import ShopRecords
    from target_customwebshop.writing import ShopWriter


@dataclass(kw_only=True)
class BackTools(RunTools):
    """The store, the shop, and what is known of the run; shared by all workers."""

    settings: BackSettings
    shop: ShopRecords
    writer: ShopWriter
