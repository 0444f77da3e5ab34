"""data remembers: the records and the rules that keep them true."""
