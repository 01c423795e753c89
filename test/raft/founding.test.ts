import { describe, expect, test } from "vitest";
import { nodeId, uuid } from "../../src/base/ids.js";
import { decideFounding } from "../../src/raft/founding.js";
import type { Hello } from "../../src/raft/wire.js";

const hello = (id: number, over: Partial<Hello> = {}): Hello => ({ clusterId: "", nodeId: nodeId(id), directoryId: uuid(`dir${String(id).padStart(19, "0")}`), starts: 1, expected: "1,2,3", ...over });
const peers = [1, 2, 3].map(nodeId);
const heard = (...hellos: Hello[]) => new Map(hellos.map((one) => [one.nodeId, one]));

describe("founding", () => {
  test("alone, a node founds at once", () => {
    expect(decideFounding(hello(1, { expected: "1" }), [nodeId(1)], heard())).toEqual({ do: "found" });
  });

  test("the lowest founds, and only when all of them said that they are empty", () => {
    expect(decideFounding(hello(1), peers, heard(hello(2)))).toEqual({ do: "wait", missing: [3] });
    expect(decideFounding(hello(1), peers, heard(hello(2), hello(3)))).toEqual({ do: "found" });
    expect(decideFounding(hello(2), peers, heard(hello(1), hello(3)))).toEqual({ do: "wait", missing: [] });
  });

  test("whoever knows a cluster is joined, by the lowest too, and without waiting for the others", () => {
    expect(decideFounding(hello(1), peers, heard(hello(3, { clusterId: "c" })))).toEqual({ do: "join", clusterId: "c" });
  });

  test("two clusters, or lists that differ, are refused with both", () => {
    expect(decideFounding(hello(1), peers, heard(hello(2, { clusterId: "c" }), hello(3, { clusterId: "d" })))).toMatchObject({ do: "refuse", reason: expect.stringContaining("c, d") });
    expect(decideFounding(hello(1), peers, heard(hello(2), hello(3, { expected: "1,3" })))).toMatchObject({ do: "refuse", reason: expect.stringContaining("1,3") });
  });

  test("a stranger's hello founds nothing", () => {
    expect(decideFounding(hello(1), peers, heard(hello(2), hello(9)))).toEqual({ do: "wait", missing: [3] });
    expect(decideFounding(hello(1), peers, heard(hello(2), hello(9, { clusterId: "evil" })))).toEqual({ do: "wait", missing: [3] });
  });
});
