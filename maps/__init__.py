"""maps shows: folium maps, vector tiles, symbols and legends."""
