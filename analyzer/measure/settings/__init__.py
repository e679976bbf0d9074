"""The settings behind the probes, with bounds."""
