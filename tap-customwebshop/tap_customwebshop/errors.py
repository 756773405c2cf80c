"""Why a run stops.

ShopError
├── ShopUnavailableError  the shop cannot be reached or keeps failing: run again later
├── ShopRefusedError      the shop says no (key, address, parameters): change a setting
│   └── WrongPathError    an id of the shop would lead elsewhere: one record
├── ContractBrokenError   the shop's answer is not as the contract says: repair the shop
└── ShopFileError         the shop file is wrong, or does not fit the shop: repair the file

Each text is one line for the person who runs the tap. None holds the body of an answer, a
query, a key or personal data.
"""

from __future__ import annotations


class ShopError(Exception):
    """The shop cannot be read to the end; the run stops with exit status 1."""


class ShopUnavailableError(ShopError):
    """The shop gave no useful answer within the time that retries may take."""


class ShopRefusedError(ShopError):
    """The shop refused the request; asking again would not help."""


class WrongPathError(ShopRefusedError):
    """A path that would lead elsewhere because of what the shop told; nothing was asked."""


class ContractBrokenError(ShopError):
    """The shop's answer is not what the contract in docs/shop-api.md says."""


class ShopFileError(ShopError):
    """The shop file cannot be used, or some records could not be made by it."""
