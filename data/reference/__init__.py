"""data.reference: the lists that come with the program, read by ``data.base.reference``."""
