"""A running run and those who look at it or steer it: what is shown of it, and in which words."""
