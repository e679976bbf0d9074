"""Wireshark's opinion of the same packets, beside ours."""
