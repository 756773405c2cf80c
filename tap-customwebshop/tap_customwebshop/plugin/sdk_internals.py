"""The parts of the Singer SDK in use that it does not promise to keep; imported only here.

A new release of the SDK may rename any of these, and any private method that our classes override;
a test names them all.
"""

from __future__ import annotations

from singer_sdk.configuration._dict_config import parse_environment_config
from singer_sdk.helpers._catalog import pop_deselected_record_properties
from singer_sdk.helpers._classproperty import classproperty
from singer_sdk.helpers._util import load_json, read_json_file
from singer_sdk.plugin_base import _ConfigInput as ConfigInput

__all__ = [
    "ConfigInput",
    "classproperty",
    "load_json",
    "parse_environment_config",
    "pop_deselected_record_properties",
    "read_json_file",
]
