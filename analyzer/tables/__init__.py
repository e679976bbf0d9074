"""Where each fact lies in the rows of our tables, and what is asked of columns."""
