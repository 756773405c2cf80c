"""Keeps PowerOffice Go in sync with a web shop, as a Singer target."""
