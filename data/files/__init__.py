"""Any file, read and written: formats, encodings, tables, layers, shapes. Knows no table of the database."""
