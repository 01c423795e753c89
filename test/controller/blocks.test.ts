/**
 * A broker with many partitions comes or goes block by block. Wherever a controller stops, the next one ends in the very image that one go would have made, and
 * the blocks in between never let anything be decided that counts on the broker.
 */
import { describe, expect, test } from "vitest";
import { nodeId } from "../../src/base/ids.js";
import { decideRegister, fenceBlock, REGISTER_START, stopBlock, unfenceBlock, type RegisterAt } from "../../src/controller/decide/brokers.js";
import { decideCreateTopics } from "../../src/controller/decide/topics.js";
import { checkImage } from "../../src/metadata/check-image.js";
import type { ClusterImage } from "../../src/metadata/cluster-image.js";
import { Model } from "./model.js";

const BROKERS = 4;

/** Some topics on four brokers, some of which are away. */
function world(seed: number): Model {
  const model = new Model({ "min.insync.replicas": String(1 + (seed % 3)), "unclean.leader.election.enable": String(seed % 5 === 0) });
  model.draws = seed * 7919 + 1;
  model.up(...Array.from({ length: BROKERS }, (_, i) => i));
  for (let i = 0; i < 4; i++) {
    model.do(decideCreateTopics(model.image, { kind: "create-topics", topics: [{ name: `t${model.below(100)}-${i}`, partitions: 1 + model.below(6), replicationFactor: 1 + model.below(3), assignments: [], configs: [] }], validateOnly: false }, model.context));
  }
  for (let i = model.below(4); i > 0; i--) {
    const id = model.below(BROKERS);
    if (model.image.broker(nodeId(id))?.fenced === true) model.unfence(id);
    else model.fence(id);
  }
  model.mend();
  return model;
}

/** All that the walks decide; positions and so broker epochs depend on the number of batches. */
function shown(image: ClusterImage): unknown {
  return {
    brokers: image.brokers().map(({ id, fenced, stopping, directories }) => ({ id, fenced, stopping, directories })),
    partitions: [...image.topics()].flatMap((topic) => Array.from({ length: topic.partitionCount }, (_, i) => ({ ...topic.existing(i), topicId: topic.name }))),
    unclean: image.uncleanElections,
  };
}

const seeds = Array.from({ length: 30 }, (_, i) => i + 1);

describe("stopped after any block and taken up by another controller, it ends as in one go", () => {
  const walks = [["fencing", fenceBlock, false], ["unfencing", unfenceBlock, true], ["stopping", stopBlock, false]] as const;

  test.each(walks)("%s", (_, step, fenced) => {
    let cut = 0;
    for (const seed of seeds) {
      const model = world(seed);
      const { image } = model;
      for (let id = 0; id < BROKERS; id++) {
        if (image.broker(nodeId(id))?.fenced !== fenced) continue;
        model.image = image;
        model.limit = Infinity;
        expect(model.walk(step, id)).toBe(true);
        checkImage(model.image);
        const whole = shown(model.image);
        for (let blocks = 1; ; blocks++) {
          model.image = image;
          model.limit = 1 + (blocks % 3);
          const done = model.walk(step, id, blocks);
          expect(model.image.broker(nodeId(id))?.fenced).toBe(step === fenceBlock); // from the first block on
          checkImage(model.image, false);
          if (done) checkImage(model.image);
          model.limit = 2;
          model.mend();
          checkImage(model.image);
          expect(shown(model.image)).toEqual(whole);
          if (done) break;
          cut++;
        }
      }
    }
    expect(cut).toBeGreaterThan(10);
  });

  test.each([["an old disk", 0, false], ["a new disk", 1, false], ["losses", 0, true]] as const)("registration with %s", (_, disk, loses) => {
    let cut = 0;
    for (const seed of seeds) {
      for (let id = 0; id < BROKERS; id++) {
        const base = world(seed);
        if (disk === 1 && base.image.broker(nodeId(id))?.fenced !== true) base.fence(id);
        const lost = loses ? [...base.image.topics()].flatMap((topic) => Array.from({ length: topic.partitionCount }, (__, partition) => ({ topicId: topic.id, partition })).filter((one) => one.partition % 2 === 0)) : [];
        const ask = base.registering(id, { disk, lost });
        const register = (model: Model, stopAfter: number): boolean => {
          let at: RegisterAt = REGISTER_START;
          for (let blocks = 0; blocks < stopAfter; blocks++) {
            const reply = model.do(decideRegister(model.image, ask, "s", at, model.limit, model.context));
            if (!reply.ok) throw new Error(reply.message);
            if (reply.again === null) return true;
            at = reply.again;
          }
          return false;
        };
        const { image } = base;
        base.limit = Infinity;
        expect(register(base, 1)).toBe(true);
        const whole = shown(base.image);
        for (let blocks = 1; ; blocks++) {
          base.image = image;
          base.limit = 1 + (blocks % 3);
          const done = register(base, blocks);
          if (!done) {
            expect(base.image.broker(nodeId(id))?.incarnation).not.toBe(ask.incarnation); // not before everything of the old one has ended
            base.mend();
            expect(register(base, Infinity)).toBe(true);
            cut++;
          }
          checkImage(base.image);
          expect(shown(base.image)).toEqual(whole);
          if (done) break;
        }
      }
    }
    expect(cut).toBeGreaterThan(50);
  });
});

test("an image at rest asks for nothing", () => {
  for (const seed of seeds) {
    const model = world(seed);
    const before = model.image;
    model.mend();
    expect(model.image).toBe(before);
  }
});
