import { describeDisk } from "../conformance/disk.js";
import { hostMaking, makeHost } from "./making.js";

describeDisk("Node, data", makeHost);
describeDisk("Node, raft", () => hostMaking({ syncClass: "raft" }));
