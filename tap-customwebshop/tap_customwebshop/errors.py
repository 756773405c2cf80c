"""Why a run stops.

ShopError
├── ShopUnavailableError  the shop cannot be reached or keeps failing: run again later
├── ShopRefusedError      the shop refuses (key, address, parameters): change a setting
│   └── WrongPathError    an id from the shop would lead elsewhere: one record
├── ContractBrokenError   the shop's answer is not as in the contract: fix the shop
└── ShopFileError         the shop file is wrong, or does not fit the shop: fix the file

Each message is one line for the person who runs the tap. None contains the body of an answer, a
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
    """A value from the shop would make a path lead elsewhere; no request was sent."""


class ContractBrokenError(ShopError):
    """The shop's answer is not as in the contract in docs/shop-api.md."""


class ShopFileError(ShopError):
    """The shop file cannot be used, or it failed on some records."""
