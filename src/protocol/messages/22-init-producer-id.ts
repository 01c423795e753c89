/**
 * InitProducerId, Kafka protocol key 22. A producer id and its epoch.
 *
 *   v1  throttling after the answer
 *   v2  flexible
 *   v3  the current id and epoch, to raise the epoch (KIP-360)
 *   v4  PRODUCER_FENCED
 *   v5  TRANSACTION_ABORTABLE (KIP-890)
 */
import { defaults, int16, int32, int64, nullable, request, response, since, string, type Infer } from "../schema.js";

export const InitProducerIdRequest = request({ key: 22, versions: [0, 5], flexibleSince: 2 }, {
  transactionalId: nullable(string()), // null: idempotent only
  transactionTimeoutMs: int32(),
  producerId: since(3, defaults(-1n, int64())), // -1: a new one
  producerEpoch: since(3, defaults(-1, int16())),
});
export type InitProducerIdRequest = Infer<typeof InitProducerIdRequest>;

export const InitProducerIdResponse = response({ key: 22, versions: [0, 5], flexibleSince: 2 }, {
  throttleTimeMs: int32(),
  errorCode: int16(),
  producerId: defaults(-1n, int64()),
  producerEpoch: int16(),
});
export type InitProducerIdResponse = Infer<typeof InitProducerIdResponse>;
