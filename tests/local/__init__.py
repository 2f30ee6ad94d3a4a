"""The local environment behind `make run-local` and `make down`."""
