"""A local PowerOffice Go: the REST API v2 as its documents tell it, and the books behind it."""
