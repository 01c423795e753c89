/**
 * Records of control batches. A key is version (int16) and type. The value of an end marker has its version before it (prefix.ts); the others hold
 * their version as a field of their own, and it is the version of the layout too.
 */
import { array, data, int16, int32, int64, since, string, struct, uint16, uuid, type Infer } from "../schema.js";

export const ControlRecordTypeSchema = data({ versions: [0, 0], flexibleSince: null }, {
  type: int16(),
});
export type ControlRecordTypeSchema = Infer<typeof ControlRecordTypeSchema>;

export const EndTxnMarker = data({ versions: [0, 0], flexibleSince: null }, {
  coordinatorEpoch: int32(),
});
export type EndTxnMarker = Infer<typeof EndTxnMarker>;

export const LeaderChangeMessage = data({ versions: [0, 1], flexibleSince: 0 }, {
  version: int16(),
  leaderId: int32(),
  voters: array(struct({
    voterId: int32(),
    voterDirectoryId: since(1, uuid()),
  })),
  grantingVoters: array(struct({
    voterId: int32(),
    voterDirectoryId: since(1, uuid()),
  })),
});
export type LeaderChangeMessage = Infer<typeof LeaderChangeMessage>;

export const SnapshotHeaderRecord = data({ versions: [0, 0], flexibleSince: 0 }, {
  version: int16(),
  lastContainedLogTimestamp: int64(), // ms of wall time
});
export type SnapshotHeaderRecord = Infer<typeof SnapshotHeaderRecord>;

export const SnapshotFooterRecord = data({ versions: [0, 0], flexibleSince: 0 }, {
  version: int16(),
});
export type SnapshotFooterRecord = Infer<typeof SnapshotFooterRecord>;

export const KRaftVersionRecord = data({ versions: [0, 0], flexibleSince: 0 }, {
  version: int16(),
  kRaftVersion: int16(),
});
export type KRaftVersionRecord = Infer<typeof KRaftVersionRecord>;

export const VotersRecord = data({ versions: [0, 0], flexibleSince: 0 }, {
  version: int16(),
  voters: array(struct({
    voterId: int32(),
    voterDirectoryId: uuid(),
    endpoints: array(struct({
      name: string(),
      host: string(),
      port: uint16(),
    })),
    kRaftVersionFeature: struct({ // versions of the quorum that the voter can do
      minSupportedVersion: int16(),
      maxSupportedVersion: int16(),
    }),
  })),
});
export type VotersRecord = Infer<typeof VotersRecord>;
