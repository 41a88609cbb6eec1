"""The tests under every kind of Python, user and dependency that a fleet may run with."""
