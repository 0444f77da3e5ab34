"""Files in and files out 导入导出: what a community hands in becomes rows, and rows become files again.

``reading`` opens any file as one frame in EPSG:4326; ``columns`` says which column is which field and reads the values;
``writing`` streams frames to files. None of them knows the database: ``importing`` and ``exporting`` do. They are
imported on demand: the command line must not wait for geopandas.
"""
