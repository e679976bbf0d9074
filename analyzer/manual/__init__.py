"""The manual: a file for each topic of `keepalive explain`, which are also the sections of keepalive(1)."""
