"""api talks: HTTP, pages, standard protocols, the background worker and the command line."""
