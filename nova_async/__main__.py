"""``python -m nova_async`` is ``nova``."""

from nova_async.cli.main import main

if __name__ == "__main__":
    main()
