import { describeRandom } from "../conformance/random.js";
import { makeHost } from "./making.js";

describeRandom("Node", makeHost);
