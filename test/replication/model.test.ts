import { describe, expect, test } from "vitest";
import { Model, type Plant } from "./model.js";

/** A small generator with a seed: the runs are the same everywhere. */
function drawsFrom(seed: number): (end: number) => number {
  let state = (seed * 2654435761) >>> 0 || 1;
  return (end) => {
    state ^= state << 13;
    state >>>= 0;
    state ^= state >>> 17;
    state ^= state << 5;
    state >>>= 0;
    return state % end;
  };
}

function run(seed: number, plant: Plant | null, steps: number): Model {
  const model = new Model(drawsFrom(seed), plant);
  for (let i = 0; i < steps; i++) model.step();
  return model;
}

describe("a partition under crashes, fences and lost answers", () => {
  test("nothing acknowledged is missing from the disk of an ISR member, and all logs agree in the end", () => {
    const reached = new Map<string, number>();
    for (let seed = 1; seed <= 300; seed++) {
      const model = run(seed, null, 1500);
      model.heal();
      expect(model.converged(), `seed ${seed}`).toBe(true);
      for (const [what, count] of model.reached) reached.set(what, (reached.get(what) ?? 0) + count);
    }
    for (const what of ["acked", "crash", "power cut", "truncated", "isr grew", "isr shrank", "answer lost", "request lost", "led", "fetch fenced", "refused: await-metadata"]) {
      expect(reached.get(what) ?? 0, `sometimes: ${what}`).toBeGreaterThan(20);
    }
  });

  const plants: readonly Plant[] = ["ack-before-replication", "truncate-to-watermark", "no-epoch-fence", "refusal-ends-proposal", "old-news-ends-proposal", "join-before-watermark", "count-unsynced"];
  test.each(plants)("the model sees %s", (plant) => {
    const caught = () => {
      for (let seed = 1; seed <= 1000; seed++) run(seed, plant, 1500);
    };
    expect(caught).toThrow(/acknowledged|diverges|epoch/);
  });
});
