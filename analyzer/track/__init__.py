"""Packets -> flow table, probe log and event log; what has ended may leave memory for the disk."""

from analyzer.track.tracker import Tracker

__all__ = ["Tracker"]
