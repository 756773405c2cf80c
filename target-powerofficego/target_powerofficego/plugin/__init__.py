"""What all our plugins of the Singer SDK share: command line, variables, JSON, plain text.

This folder exists in both tap-customwebshop and target-powerofficego, because each can be installed
without the other. A test keeps the copies identical, byte for byte; nothing in it imports anything
else of its package.
"""
