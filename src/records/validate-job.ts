/**
 * The leader's check as work that leaves the thread: the payload goes over, a small verdict comes back, or a batch made again. The job keeps nothing and
 * touches nothing but the bytes it is given.
 *
 *   verdict:  uint32 bytes of the facts | facts as JSON | the rebuilt batch, or nothing
 */
import { assert } from "../base/assert.js";
import type { OffloadParameters, World } from "../world/world.js";
import { asBuffer, CODECS } from "./batch.js";
import { initCodecs } from "./codecs.js";
import { isHeavy, judgeProduce, settle, validateProduce, type Accepted, type ProduceRules, type Refused, type Validated, type Verdict } from "./validate.js";

/** The name under which app/ registers `validateJob`. */
export const VALIDATE_JOB = "validate-produce";

/**
 * Checks at once what is light, and in another thread what is dear.
 * @param bytes lent until the promise settles; stamped in place
 */
export async function validateAnywhere(world: Pick<World, "offload">, bytes: Uint8Array, rules: ProduceRules): Promise<Validated> {
  if (!isHeavy(bytes, rules)) return validateProduce(bytes, rules);
  return settle(bytes, readVerdict(await world.offload(VALIDATE_JOB, bytes, { ...rules })));
}

/** Runs in the other thread. It makes the codecs ready itself, for a thread shares nothing. */
export async function validateJob(input: Uint8Array, parameters: OffloadParameters): Promise<Uint8Array> {
  await initCodecs();
  return writeVerdict(judgeProduce(input, readRules(parameters)));
}

type Facts = Refused | Omit<Accepted, "rebuilt">;

export function writeVerdict(verdict: Verdict): Uint8Array {
  const { rebuilt, ...facts } = verdict.ok ? verdict : { ...verdict, rebuilt: null };
  const text = Buffer.from(JSON.stringify(facts satisfies Facts), "utf8");
  const size = Buffer.alloc(4);
  size.writeUInt32BE(text.length);
  return Buffer.concat(rebuilt === null ? [size, text] : [size, text, rebuilt]);
}

export function readVerdict(bytes: Uint8Array): Verdict {
  const b = asBuffer(bytes);
  const end = 4 + b.readUInt32BE(0);
  const facts = JSON.parse(b.toString("utf8", 4, end)) as Facts; // written by writeVerdict, from this same build
  return facts.ok ? { ...facts, rebuilt: end < b.length ? b.subarray(end) : null } : facts;
}

function readRules(parameters: OffloadParameters): ProduceRules {
  const number = (name: keyof ProduceRules) => {
    const value = parameters[name];
    assert(typeof value === "number", `the rule ${name} is a number`);
    return value;
  };
  const flag = (name: keyof ProduceRules) => {
    const value = parameters[name];
    assert(typeof value === "boolean", `the rule ${name} is a boolean`);
    return value;
  };
  const compression = (["producer", ...CODECS] as const).find((name) => name === parameters["compression"]);
  assert(compression !== undefined, "the rule compression is a codec or producer");
  return {
    maxMessageBytes: number("maxMessageBytes"),
    compacted: flag("compacted"),
    logAppendTime: flag("logAppendTime"),
    timestampBeforeMaxMs: number("timestampBeforeMaxMs"),
    timestampAfterMaxMs: number("timestampAfterMaxMs"),
    nowMs: number("nowMs"),
    compression,
    produceVersion: number("produceVersion"),
    transactional: flag("transactional"),
  };
}
