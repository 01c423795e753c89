/** InitProducerId, Kafka protocol key 22. */
import { defaults, int16, int32, int64, nullable, request, response, since, string, type Infer } from "../schema.js";

export const InitProducerIdRequest = request({ key: 22, versions: [0, 5], flexibleSince: 2 }, {
  transactionalId: nullable(string()),
  transactionTimeoutMs: int32(),
  producerId: since(3, defaults(-1n, int64())),
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
