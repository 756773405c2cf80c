"""Keeps PowerOffice Go the same as a web shop, as a Singer target."""
