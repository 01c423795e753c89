/** The order of one connection: requests begin one at a time unless admitted, answers leave in the order of requests, and what waits is bounded. */
import { describe, expect, test } from "vitest";
import fc from "fast-check";
import { RequestQueue, type Slot } from "../../src/broker/request-queue.js";

const queue = (limits = { slots: 4, waitingBytes: 100 }) => new RequestQueue<string, string>(limits, (frame) => frame.length);

function begin(q: RequestQueue<string, string>): { readonly frame: string; readonly slot: Slot<string> } {
  const taken = q.take();
  if (taken === null) throw new Error("nothing may begin");
  return taken;
}

describe("beginning", () => {
  test("the next request waits until the one before is admitted", () => {
    const q = queue();
    q.push("a");
    q.push("b");
    const a = begin(q);
    expect(q.take()).toBeNull();
    q.admit(a.slot);
    expect(begin(q).frame).toBe("b");
  });

  test("an answer is an admission, too", () => {
    const q = queue();
    q.push("a");
    q.push("b");
    q.answer(begin(q).slot, "A");
    expect(begin(q).frame).toBe("b");
  });

  test("no more requests are under way than there are slots", () => {
    const q = queue({ slots: 2, waitingBytes: 100 });
    for (const frame of ["a", "b", "c"]) q.push(frame);
    for (let i = 0; i < 2; i++) q.admit(begin(q).slot);
    expect(q.take()).toBeNull();
  });
});

describe("answering", () => {
  test("a later answer waits for the earlier one", () => {
    const q = queue();
    q.push("a");
    q.push("b");
    const a = begin(q);
    q.admit(a.slot);
    const b = begin(q);
    q.answer(b.slot, "B");
    expect(q.ready()).toEqual([]);
    q.answer(a.slot, "A");
    expect(q.ready()).toEqual(["A", "B"]);
    expect(q.idle).toBe(true);
  });

  test("a request is answered once", () => {
    const q = queue();
    q.push("a");
    const a = begin(q);
    q.answer(a.slot, "A");
    expect(() => q.answer(a.slot, "A")).toThrow("answered once");
  });

  test("an end gives back the answers that never left, and nothing begins any more", () => {
    const q = queue();
    for (const frame of ["a", "b", "c"]) q.push(frame);
    const a = begin(q);
    q.admit(a.slot);
    q.answer(begin(q).slot, "B");
    expect(q.abandon()).toEqual(["B"]);
    expect(q.take()).toBeNull();
    expect(q.idle).toBe(true);
  });
});

test("it is full by number and by bytes of what waits, not of what has begun", () => {
  const few = queue({ slots: 2, waitingBytes: 1_000 });
  few.push("a");
  few.push("b");
  expect(few.full).toBe(true);
  begin(few);
  expect(few.full).toBe(false);
  const big = queue({ slots: 9, waitingBytes: 3 });
  big.push("xyz");
  expect(big.full).toBe(true);
  begin(big);
  expect(big.full).toBe(false);
});

test("whatever the order of admissions and answers, each request is answered once and in order", () => {
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 2 }), { maxLength: 200 }), fc.infiniteStream(fc.nat()), (steps, picks) => {
      const q = queue({ slots: 3, waitingBytes: 50 });
      const running: { readonly frame: string; readonly slot: Slot<string> }[] = [];
      const out: string[] = [];
      let pushed = 0;
      const advance = () => {
        for (let next = q.take(); next !== null; next = q.take()) running.push(next);
        out.push(...q.ready());
      };
      const answerOne = () => {
        const [one] = running.splice((picks.next().value ?? 0) % running.length, 1);
        if (one !== undefined) q.answer(one.slot, one.frame);
      };
      for (const step of steps) {
        if (step === 0) q.push(String(pushed++));
        else if (step === 1) for (const one of running) q.admit(one.slot);
        else if (running.length > 0) answerOne();
        advance();
        expect(running.length).toBeLessThanOrEqual(3);
      }
      for (let left = pushed + 3; left > 0 && !q.idle; left--) {
        if (running.length > 0) answerOne();
        advance();
      }
      expect(out).toEqual(Array.from({ length: pushed }, (_, i) => String(i)));
    }),
    { numRuns: 200 },
  );
});
