/** Records of `__transaction_state`, key type 0: where a transactional id stands. A value of version 1 needs transaction.version 1 or above. */
import { array, data, defaults, int16, int32, int64, int8, nullable, since, string, struct, tagged, type Infer } from "../schema.js";

export const TransactionLogKey = data({ versions: [0, 0], flexibleSince: null }, {
  transactionalId: string(),
});
export type TransactionLogKey = Infer<typeof TransactionLogKey>;

export const TransactionLogValue = data({ versions: [0, 1], flexibleSince: 1 }, {
  producerId: int64(),
  previousProducerId: since(1, tagged(0, defaults(-1n, int64()))), // -1: none; a client of before KIP-890 may still use it
  nextProducerId: since(1, tagged(1, defaults(-1n, int64()))), // -1: none; what the next transaction uses when the epochs run out
  producerEpoch: int16(),
  nextProducerEpoch: since(1, tagged(3, defaults(-1, int16()))),
  transactionTimeoutMs: int32(),
  transactionStatus: int8(), // 0 empty, 1 ongoing, 2 prepare commit, 3 prepare abort, 4 complete commit, 5 complete abort, 6 dead, 7 prepare epoch fence
  transactionPartitions: nullable(array(struct({ // null in a transaction that has none
    topic: string(),
    partitionIds: array(int32()),
  }))),
  transactionLastUpdateTimestampMs: int64(), // ms of wall time
  transactionStartTimestampMs: int64(),
  clientTransactionVersion: since(1, tagged(2, int16())), // 2: the epoch rises with each transaction
});
export type TransactionLogValue = Infer<typeof TransactionLogValue>;
