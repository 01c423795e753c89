/** Produce, Kafka protocol key 0. */
import { array, between, defaults, int16, int32, int64, nullable, records, request, response, since, string, struct, tagged, uuid, type Infer } from "../schema.js";

export const ProduceRequest = request({ key: 0, versions: [3, 13], flexibleSince: 9 }, {
  transactionalId: defaults(null, nullable(string())),
  acks: int16(),
  timeoutMs: int32(),
  topicData: array(struct({
    name: between(0, 12, string()),
    topicId: since(13, uuid()),
    partitionData: array(struct({
      index: int32(),
      records: nullable(records()),
    })),
  })),
});
export type ProduceRequest = Infer<typeof ProduceRequest>;

export const ProduceResponse = response({ key: 0, versions: [3, 13], flexibleSince: 9 }, {
  responses: array(struct({
    name: between(0, 12, string()),
    topicId: since(13, uuid()),
    partitionResponses: array(struct({
      index: int32(),
      errorCode: int16(),
      baseOffset: int64(),
      logAppendTimeMs: defaults(-1n, int64()),
      logStartOffset: since(5, defaults(-1n, int64())),
      recordErrors: since(8, array(struct({
        batchIndex: since(8, int32()),
        batchIndexErrorMessage: since(8, defaults(null, nullable(string()))),
      }))),
      errorMessage: since(8, defaults(null, nullable(string()))),
      currentLeader: since(10, tagged(0, struct({
        leaderId: since(10, defaults(-1, int32())),
        leaderEpoch: since(10, defaults(-1, int32())),
      }))),
    })),
  })),
  throttleTimeMs: int32(),
  nodeEndpoints: since(10, tagged(0, array(struct({
    nodeId: since(10, int32()),
    host: since(10, string()),
    port: since(10, int32()),
    rack: since(10, defaults(null, nullable(string()))),
  })))),
});
export type ProduceResponse = Infer<typeof ProduceResponse>;
