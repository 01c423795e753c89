import { crc32c } from "../../base/crc32c.js";
import type { FileContent } from "../file-content.js";
import type { LogReplica } from "../evidence/log-replica.js";
import { type Invariant } from "./invariant.js";

const HEAD_BYTES = 10;
const ENTRY_BYTES = 46;
/** Every so many scans: the files are seldom written. */
const EVERY = 3;

/** What a node keeps of producers at an offset is what the batches of its log below that offset say. */
export const producerState: Invariant = {
  name: "producer-state",
  source: "reliability.md I4; KIP-98",
  watch(run, { logs }) {
    const judged = new WeakSet<FileContent>();
    const judge = (replica: LogReplica, offset: number, file: FileContent, path: string) => {
      const bytes = file.peek();
      if (bytes.length < HEAD_BYTES || bytes.readUInt32BE(2) !== crc32c(bytes.subarray(6)) || offset > replica.end) return; // not whole yet, or left behind
      judged.add(file);
      if (replica.start > 0) return; // it may know of producers whose batches are gone
      const told = new Map<number, { readonly epoch: number; readonly last: number }>();
      for (let at = HEAD_BYTES; at + ENTRY_BYTES <= bytes.length; at += ENTRY_BYTES) told.set(Number(bytes.readBigInt64BE(at)), { epoch: bytes.readInt16BE(at + 8), last: bytes.readInt32BE(at + 10) });
      const made = new Map<number, { readonly epoch: number; readonly last: number }>();
      for (const fact of replica.from(0, offset)) {
        if (fact.producerId >= 0 && !fact.control) made.set(fact.producerId, { epoch: fact.producerEpoch, last: fact.sequence < 0 ? -1 : (fact.sequence + fact.last - fact.base) % 2 ** 31 });
      }
      for (const [id, has] of told) {
        const of = made.get(id);
        if (of === undefined || of.epoch !== has.epoch || of.last !== has.last) {
          return run.violate("producer-state", `node ${replica.node} keeps in ${path} epoch ${has.epoch} and sequence ${has.last} of producer ${id}; its log says ${of === undefined ? "nothing of it" : `epoch ${of.epoch} and sequence ${of.last}`}`);
        }
      }
      const expires = run.plan.settings["producer.id.expiration.ms"] !== undefined;
      const missing = [...made.keys()].find((id) => !told.has(id));
      if (missing !== undefined && !expires) run.violate("producer-state", `node ${replica.node} keeps nothing in ${path} of producer ${missing}, which is in its log`);
    };
    let scans = 0;
    const look = () => {
      for (const node of run.cluster.nodes) {
        if (run.excuses.isDamaged(node.id)) continue;
        for (const replica of logs.replicasOf(node.id)) {
          const folder = node.machine.disk.tree.find(replica.folder);
          if (folder?.kind !== "directory") continue;
          for (const [name, file] of folder.entries) {
            const named = name.endsWith(".snapshot") ? /^(\d{20})\.snapshot$/.exec(name) : null;
            if (named !== null && file.kind === "file" && !judged.has(file)) judge(replica, Number(named[1]), file, `${replica.folder}/${name}`);
          }
        }
      }
    };
    return {
      scan() {
        if (scans++ % EVERY === 0) look();
      },
      atEnd: look,
    };
  },
};
