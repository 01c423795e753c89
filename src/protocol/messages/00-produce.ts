/**
 * Produce, Kafka protocol key 0. Record batches for partitions to append.
 *
 *   v3  record batches of magic 2, transactional ids (the least that is answered; 0 is advertised, see apis.ts)
 *   v4  tells clients to expect KAFKA_STORAGE_ERROR
 *   v5  the log start offset in the answer
 *   v6  throttling happens after the answer left
 *   v7  zstd is allowed (KIP-110)
 *   v8  record errors (KIP-467)
 *   v9  flexible
 *   v10 the current leader in the answer (KIP-951)
 *   v11 TRANSACTION_ABORTABLE (KIP-890)
 *   v12 adds a transaction's partition by itself (KIP-890)
 *   v13 topics by id (KIP-516)
 */
import { array, between, defaults, ignorable, int16, int32, int64, nullable, records, request, response, since, string, struct, tagged, uuid, type Infer } from "../schema.js";

export const ProduceRequest = request({ key: 0, versions: [3, 13], flexibleSince: 9 }, {
  transactionalId: defaults(null, nullable(string())),
  acks: int16(), // 0: no answer, 1: the leader has it, -1: all in sync have it
  timeoutMs: int32(), // how long to wait for the others
  topicData: array(struct({
    name: ignorable(between(0, 12, string())),
    topicId: ignorable(since(13, uuid())),
    partitionData: array(struct({
      index: int32(),
      records: nullable(records()), // one batch each
    })),
  })),
});
export type ProduceRequest = Infer<typeof ProduceRequest>;

export const ProduceResponse = response({ key: 0, versions: [3, 13], flexibleSince: 9 }, {
  responses: array(struct({
    name: ignorable(between(0, 12, string())),
    topicId: ignorable(since(13, uuid())),
    partitionResponses: array(struct({
      index: int32(),
      errorCode: int16(),
      baseOffset: int64(),
      logAppendTimeMs: defaults(-1n, int64()), // -1 unless the broker stamps records
      logStartOffset: ignorable(since(5, defaults(-1n, int64()))),
      recordErrors: ignorable(since(8, array(struct({ // which records of the batch are at fault
        batchIndex: int32(), // place in the batch
        batchIndexErrorMessage: defaults(null, nullable(string())),
      })))),
      errorMessage: ignorable(since(8, defaults(null, nullable(string())))),
      currentLeader: since(10, tagged(0, struct({ // where NOT_LEADER_OR_FOLLOWER sends the client
        leaderId: defaults(-1, int32()),
        leaderEpoch: defaults(-1, int32()),
      }))),
    })),
  })),
  throttleTimeMs: int32(),
  nodeEndpoints: since(10, tagged(0, array(struct({ // addresses of those leaders
    nodeId: int32(),
    host: string(),
    port: int32(),
    rack: defaults(null, nullable(string())),
  })))),
});
export type ProduceResponse = Infer<typeof ProduceResponse>;
