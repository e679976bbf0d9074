"""An Analysis as text, JSON or tables: plain data first, then written to a handle that is given."""
