"""Capture file formats: where their records lie."""
