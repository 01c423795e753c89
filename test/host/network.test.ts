import { describeNetwork } from "../conformance/network.js";
import { NETWORK_DEFAULTS } from "../../src/host/network.js";
import { hostMaking, makeHost } from "./making.js";

describeNetwork("Node, onread into the shared buffer", makeHost);
describeNetwork("Node, data events", () => hostMaking({ network: { ...NETWORK_DEFAULTS, receive: "data" } }));
