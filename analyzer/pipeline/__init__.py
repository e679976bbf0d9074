"""Capture files, merged and read to their ends: the hallway between the rooms."""
