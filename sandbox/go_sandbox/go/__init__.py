"""A local PowerOffice Go: the REST API v2 as documented, and the books behind it."""
