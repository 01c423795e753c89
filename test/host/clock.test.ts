import { describeClock } from "../conformance/clock.js";
import { makeHost } from "./making.js";

describeClock("Node", makeHost);
