"""moto's server, without two things that it does for every request: list its own folder, and write a line of a log."""

import logging

from moto import backends
from moto.server import main

if __name__ == "__main__":
    modules = tuple(backends.list_of_moto_modules())
    backends.list_of_moto_modules = lambda: modules
    logging.getLogger("werkzeug").setLevel(logging.ERROR)
    main()
