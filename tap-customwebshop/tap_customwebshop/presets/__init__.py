"""Shop files that come with the tap; each is named after the platform that it reads."""
