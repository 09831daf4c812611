// The entry point of the script of charts, which is larger than that of all pages: only pages with charts load it.

import { setUpCityCharts } from "./script/city-chart.js";

setUpCityCharts();
