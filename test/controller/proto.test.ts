import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { nodeId } from "../../src/base/ids.js";
import { CONTROLLER_PROTO } from "../../src/controller/proto-text.js";
import { checkedQuestion, decodeCall, encodeCall, WireError, type Question } from "../../src/controller/wire.js";

test("the text in the code is the file", () => {
  expect(CONTROLLER_PROTO).toBe(readFileSync(join(__dirname, "../../proto/controller.proto"), "utf8"));
});

test("calls come back as they went, with bigints and bytes", () => {
  const question: Question = { kind: "heartbeat", applied: 2n ** 60n, stopping: true, ends: [] };
  expect(decodeCall<Question>(encodeCall(7, question))).toEqual({ id: 7, message: question });
  expect(decodeCall(encodeCall(0, { kind: "snapshot", position: 5n, block: Uint8Array.of(1, 2), first: true, last: false })).message).toMatchObject({ position: 5n });
});

test("every cut of a call is refused or read, and nothing else is thrown", () => {
  const bytes = encodeCall(7, { kind: "admin", command: { kind: "elect-leaders", type: "preferred", partitions: [{ topic: "t", partition: nodeId(3) }] } });
  for (let end = 0; end < bytes.length; end++) {
    try {
      checkedQuestion(decodeCall<Question>(bytes.subarray(0, end)).message);
    } catch (error) {
      expect(error).toBeInstanceOf(WireError);
    }
  }
});
