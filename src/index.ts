/** `import { startCluster } from "kontiki"`: a cluster inside the caller's process. */
export { startCluster, type Cluster, type ClusterOptions } from "./app/cluster.js";
