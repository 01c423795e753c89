/** Layout of `<offset>.snapshot` in a partition's folder: version (int16, see prefix.ts) and this. */
import { array, data, int16, int32, int64, struct, uint32, type Infer } from "../schema.js";

export const ProducerSnapshot = data({ versions: [1, 1], flexibleSince: null }, {
  crc: uint32(), // CRC-32C of what follows it
  producerEntries: array(struct({
    producerId: int64(),
    epoch: int16(),
    lastSequence: int32(),
    lastOffset: int64(), // of the last batch, -1: none
    offsetDelta: int32(), // last offset of that batch minus its first
    timestamp: int64(),
    coordinatorEpoch: int32(),
    currentTxnFirstOffset: int64(), // -1: no open transaction
  })),
});
export type ProducerSnapshot = Infer<typeof ProducerSnapshot>;
