"""Records without a place, and placing them by hand."""
