"""No fault leaves the two stores wrong, mixed or silently short: each kind of fault, tried on the real program."""
