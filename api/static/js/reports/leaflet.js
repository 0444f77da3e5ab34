// Of Leaflet what a resident's map needs, a fifth less than all of it: a phone loads it over whatever network there is.

import "leaflet/src/map/index.js";
import "leaflet/src/layer/vector/Renderer.getRenderer.js";
import { zoom } from "leaflet/src/control/Control.Zoom.js";
import { CRS } from "leaflet/src/geo/crs/index.js";
import { geoJSON } from "leaflet/src/layer/GeoJSON.js";
import { layerGroup } from "leaflet/src/layer/LayerGroup.js";
import { divIcon } from "leaflet/src/layer/marker/DivIcon.js";
import { marker } from "leaflet/src/layer/marker/Marker.js";
import { tileLayer } from "leaflet/src/layer/tile/TileLayer.js";
import { canvas } from "leaflet/src/layer/vector/Canvas.js";
import { rectangle } from "leaflet/src/layer/vector/Rectangle.js";
import { createMap } from "leaflet/src/map/Map.js";

window.L = { CRS, canvas, control: { zoom }, divIcon, geoJSON, layerGroup, map: createMap, marker, rectangle, tileLayer };
