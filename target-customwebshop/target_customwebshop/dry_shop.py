"""The shop for a dry run: reads are real, changes are answered here and sent nowhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from target_customwebshop.merge_patch import patched
from target_customwebshop.shop_records import Read, ShopRecords

if TYPE_CHECKING:
    from target_customwebshop.merge_patch import Record


class DryShop(ShopRecords):
    """Answers a change with the record as it would be."""

    def change(self, entity: str, shop_id: str, patch: Record, found: Read) -> Read:
        """Answer as if the record were changed."""
        del entity, shop_id
        return replace(found, record=patched(found.record, patch))
