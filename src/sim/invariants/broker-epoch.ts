import { type Invariant } from "./invariant.js";

/** A broker's epoch is the place of a registration of its own that is committed; each is later than the one before. */
export const brokerEpoch: Invariant = {
  name: "broker-epoch",
  source: "design §6, §11 metadata epochs only rise; reliability.md M2; KIP-841",
  watch(run, { metadata, controllers }) {
    const violate = (text: string) => run.violate("broker-epoch", text);
    const epochs = new Map<number, number>();
    const places = new Map<number, number>();
    const told: { readonly to: number; readonly epoch: number }[] = [];
    metadata.onRecord.on(({ record, position, image }) => {
      if (record.kind === "broker-registered") {
        const before = epochs.get(record.id) ?? -1;
        if (position <= before) violate(`broker ${record.id} is registered at ${position}, after its registration at ${before}`);
        const old = image.broker(record.id);
        if (old !== null && !old.fenced) violate(`broker ${record.id} is registered at ${position} while its registration at ${old.epoch} is not fenced`);
        epochs.set(record.id, position);
        places.set(position, record.id);
      }
      if (record.kind === "broker-changed" && Number(record.epoch) !== epochs.get(record.id)) violate(`a change of broker ${record.id} at ${position} speaks of epoch ${record.epoch}, its registration is at ${epochs.get(record.id) ?? -1}`);
    });
    controllers.onRegistered.on(({ to, epoch }) => told.push({ to, epoch: Number(epoch) }));
    const settle = () => {
      for (let i = told.length - 1; i >= 0; i--) {
        const one = told[i];
        if (one === undefined || one.epoch > Number(metadata.image.position)) continue; // the controller knows before it tells the others
        told.splice(i, 1);
        if (places.get(one.epoch) !== one.to) violate(`broker ${one.to} was told epoch ${one.epoch}, at which it is not registered`);
      }
    };
    return { scan: settle };
  },
};
