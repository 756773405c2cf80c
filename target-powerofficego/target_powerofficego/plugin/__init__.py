"""What makes a plugin of the Singer SDK one of ours: command line, variables, JSON, plain text.

This folder stands in tap-customwebshop and in target-powerofficego, which install alone. A test
keeps both the same, byte for byte; nothing in it imports anything else of its package.
"""
