// The types of the npm package of the same version, which is a development dependency.
import uPlot from "uplot";

export default uPlot;
