"""Singer target that writes edits made in PowerOffice Go back to a web shop."""
