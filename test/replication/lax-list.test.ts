import { afterEach, expect, test } from "vitest";
import { LaxList } from "../../src/replication/lax-list.js";
import { hostMaking, type HostMaking } from "../host/making.js";

let making: HostMaking;
afterEach(() => making.end());

test("what was added is there for the next incarnation, however many come at once", async () => {
  making = await hostMaking();
  const first = new LaxList((await making.world({ disk: "d" })).disk, ".");
  await first.load();
  await Promise.all(Array.from({ length: 100 }, (_, i) => first.add(`t/${i}`)));
  expect(first.has("t/99")).toBe(true);
  const second = new LaxList((await making.world({ disk: "d" })).disk, ".");
  await second.load();
  expect(Array.from({ length: 101 }, (_, i) => second.has(`t/${i}`))).toEqual([...Array.from({ length: 100 }, () => true), false]);
});
