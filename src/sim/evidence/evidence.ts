/** All that the World saw in a run, decoded as it comes. One observer takes it from the disks and the wires and hands it to whom it concerns. */
import { MetadataEvidence } from "./metadata-evidence.js";
import { RaftEvidence } from "./raft-evidence.js";

export interface Evidence {
  readonly raft: RaftEvidence;
  readonly metadata: MetadataEvidence;
}
