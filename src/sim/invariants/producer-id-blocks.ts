import { type Invariant } from "./invariant.js";

/** No producer id is in two blocks, and none is given out before the metadata says that it belongs to somebody. */
export const producerIdBlocks: Invariant = {
  name: "producer-id-blocks",
  source: "reliability.md M10; KIP-730",
  watch(run, { metadata, controllers }) {
    const blocks: { readonly first: bigint; readonly end: bigint; readonly to: number }[] = [];
    let unsettled: { readonly end: bigint; readonly to: number }[] = [];
    let next = -1n;
    metadata.onRecord.on(({ record, position }) => {
      if (record.kind !== "producer-ids") return;
      if (record.next <= next) run.violate("producer-id-blocks", `the next producer id goes from ${next} to ${record.next} at ${position}`);
      next = record.next;
    });
    controllers.onProducerIds.on(({ to, first, count }) => {
      const end = first + BigInt(count);
      const other = blocks.find((block) => first < block.end && block.first < end);
      if (other !== undefined) run.violate("producer-id-blocks", `broker ${to} gets producer ids ${first} to ${end - 1n}, broker ${other.to} has ${other.first} to ${other.end - 1n}`);
      blocks.push({ first, end, to });
      unsettled.push({ end, to });
    });
    return {
      atEnd(phase) {
        if (phase !== "over") return;
        for (const { end, to } of unsettled) if (end > next) run.violate("producer-id-blocks", `broker ${to} got producer ids up to ${end - 1n}; the metadata has given away those below ${next}`);
        unsettled = [];
      },
    };
  },
};
