"""The page of a run in a browser, and the same as JSON for programs: ``nova serve``, ``nova run --serve``.

A process of its own, which looks at the run from outside: the run never shares its event loop with a web server. Only
``nova serve`` loads it, for its libraries come with the extra ``[web]``.
"""
