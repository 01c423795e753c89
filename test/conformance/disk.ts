import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { writeFileAtomically } from "../../src/world/atomic-file.js";
import { DiskFault, type DiskFaultCode } from "../../src/world/disk.js";
import { Halted } from "../../src/world/world.js";
import { expectNeverSettled, faultOf, type MakeMaking, within } from "./making.js";

const bytes = (text: string) => new TextEncoder().encode(text);
const text = (content: Uint8Array | null) => (content === null ? null : new TextDecoder().decode(content));
const codeOf = (error: unknown): DiskFaultCode | unknown => (error instanceof DiskFault ? error.code : error);

function thrown(act: () => unknown): unknown {
  try {
    act();
  } catch (error) {
    return codeOf(error);
  }
  return "nothing thrown";
}

export function describeDisk(name: string, make: MakeMaking): void {
  describe(`Disk: ${name}`, () => {
    test("reads back what was written, by every way of reading, like one growing array", () =>
      within(make, async (making) => {
        const { disk } = await making.world();
        const write = fc.record({ position: fc.nat(200), parts: fc.array(fc.uint8Array({ maxLength: 50 }), { maxLength: 4 }) });
        const cut = fc.record({ truncate: fc.nat(250) });
        let run = 0;
        await fc.assert(
          fc.asyncProperty(fc.array(fc.oneof(write, write, cut), { maxLength: 12 }), async (acts) => {
            const path = `file-${run++}`;
            const file = disk.open(path, { create: true });
            let model = new Uint8Array(0);
            for (const act of acts) {
              if ("truncate" in act) {
                file.truncate(act.truncate);
                const grown = new Uint8Array(act.truncate);
                grown.set(model.subarray(0, act.truncate));
                model = grown;
              } else {
                file.writeAt(act.position, act.parts);
                const joined = Buffer.concat(act.parts);
                if (joined.length === 0) continue;
                const grown = new Uint8Array(Math.max(model.length, act.position + joined.length));
                grown.set(model);
                grown.set(joined, act.position);
                model = grown;
              }
              expect(file.size()).toBe(model.length);
            }
            const hot = new Uint8Array(model.length + 10);
            expect(file.readAt(0, hot)).toBe(model.length);
            expect(hot.subarray(0, model.length)).toEqual(model);
            const from = model.length >> 1;
            const cold = new Uint8Array(model.length + 10);
            expect(await file.read(from, cold)).toBe(model.length - from);
            expect(cold.subarray(0, model.length - from)).toEqual(model.subarray(from));
            file.close();
            expect(new Uint8Array((await disk.readFile(path)) ?? [9])).toEqual(model);
          }),
          { numRuns: 40 },
        );
      }));

    test("one write takes more parts than the system's vector holds", () =>
      within(make, async (making) => {
        const { disk } = await making.world();
        const file = disk.open("many", { create: true });
        file.writeAt(0, Array.from({ length: 2500 }, (_, i) => Uint8Array.of(i & 255, i >> 8)));
        const into = new Uint8Array(5000);
        expect(file.readAt(0, into)).toBe(5000);
        for (let i = 0; i < 2500; i++) expect((into[2 * i] ?? 0) + 256 * (into[2 * i + 1] ?? 0)).toBe(i);
      }));

    test("two handles of a file see each other's bytes and lengths", () =>
      within(make, async (making) => {
        const { disk } = await making.world();
        const writer = disk.open("shared", { create: true });
        const reader = disk.open("shared", { readOnly: true });
        writer.writeAt(0, [bytes("hello")]);
        expect(reader.size()).toBe(5);
        const into = new Uint8Array(5);
        expect(reader.readAt(0, into)).toBe(5);
        expect(text(into)).toBe("hello");
        writer.truncate(2);
        expect(reader.size()).toBe(2);
        expect(reader.readAt(2, into)).toBe(0);
      }));

    test("a read beyond the end is short or nothing", () =>
      within(make, async (making) => {
        const { disk } = await making.world();
        const file = disk.open("short", { create: true });
        file.writeAt(0, [bytes("abc")]);
        expect(file.readAt(2, new Uint8Array(9))).toBe(1);
        expect(file.readAt(3, new Uint8Array(9))).toBe(0);
        expect(await file.read(100, new Uint8Array(9))).toBe(0);
        expect(await file.read(0, new Uint8Array(0))).toBe(0);
      }));

    test("what cannot be opened says why", () =>
      within(make, async (making) => {
        const { disk } = await making.world();
        await disk.makeDirectory("folder");
        expect(thrown(() => disk.open("absent"))).toBe("missing");
        expect(thrown(() => disk.open("absent/file", { create: true }))).toBe("missing");
        expect(thrown(() => disk.open("folder"))).toBe("failed");
        expect(thrown(() => disk.open("folder", { readOnly: true }))).toBe("failed");
        expect(thrown(() => disk.open("../outside", { create: true }))).toBe("failed");
        expect(codeOf(await faultOf(disk.readFile("../../etc/hosts")))).toBe("failed");
      }));

    test("a read-only handle does not write", () =>
      within(make, async (making) => {
        const { disk } = await making.world();
        disk.open("fixed", { create: true }).close();
        const file = disk.open("fixed", { readOnly: true });
        expect(thrown(() => file.writeAt(0, [bytes("x")]))).toBe("failed");
        expect(thrown(() => file.truncate(1))).toBe("failed");
        expect(file.size()).toBe(0);
      }));

    test("a closed file refuses everything, but a read and a sync under way finish", () =>
      within(make, async (making) => {
        const { disk } = await making.world();
        const file = disk.open("closing", { create: true });
        file.writeAt(0, [bytes("kept")]);
        const into = new Uint8Array(4);
        // More of them than there are threads, so that some have not even begun when their file is closed.
        const others = Array.from({ length: 60 }, (_, i) => disk.open(`closing-${i}`, { create: true }));
        const underWay = Promise.all([...others, file].flatMap((one) => [one.sync(), one.read(0, into)]));
        for (const one of others) one.close();
        file.close();
        file.close(); // twice is once
        expect((await underWay).at(-1)).toBe(4);
        expect(text(into)).toBe("kept");
        for (const act of [() => file.size(), () => file.writeAt(0, []), () => file.readAt(0, into), () => file.truncate(0)]) expect(thrown(act)).toBe("closed");
        expect(codeOf(await faultOf(file.read(0, into)))).toBe("closed");
        expect(codeOf(await faultOf(file.sync()))).toBe("closed");
      }));

    test("many syncs and reads at once all finish", () =>
      within(make, async (making) => {
        const { disk } = await making.world();
        const files = Array.from({ length: 40 }, (_, i) => disk.open(`f${i}`, { create: true }));
        for (const file of files) file.writeAt(0, [bytes(file.path)]);
        const reads = files.map((file) => file.read(0, new Uint8Array(1)));
        await Promise.all(files.map((file) => file.sync()));
        expect(await Promise.all(reads)).toEqual(files.map(() => 1));
      }));

    test("folders list their entries by name, with kind and size", () =>
      within(make, async (making) => {
        const { disk } = await making.world();
        await disk.makeDirectory("a/b/c");
        await disk.makeDirectory("a/b"); // it is there already
        for (const name of ["b2", "B", "b10", "é"]) disk.open(`a/${name}`, { create: true }).writeAt(0, [bytes(name)]);
        expect(await disk.list("a")).toEqual([
          { name: "B", kind: "file", bytes: 1 },
          { name: "b", kind: "directory", bytes: 0 },
          { name: "b10", kind: "file", bytes: 3 },
          { name: "b2", kind: "file", bytes: 2 },
          { name: "é", kind: "file", bytes: 2 },
        ]);
        expect(await disk.list("nowhere")).toEqual([]);
        expect([await disk.exists("a/b/c"), await disk.exists("a/B"), await disk.exists("a/x"), await disk.exists("a/B/x")]).toEqual([true, true, false, false]);
        expect((await disk.list(".")).map((entry) => entry.name)).toEqual(["a"]);
      }));

    test("names are moved, replaced and removed", () =>
      within(make, async (making) => {
        const { disk } = await making.world();
        await disk.makeDirectory("d/e");
        const file = disk.open("d/one", { create: true });
        file.writeAt(0, [bytes("1")]);
        disk.open("d/two", { create: true }).writeAt(0, [bytes("2")]);
        await disk.rename("d/one", "d/two");
        file.writeAt(1, [bytes("!")]); // an open file keeps its content, whatever it is called
        expect([text(await disk.readFile("d/one")), text(await disk.readFile("d/two"))]).toEqual([null, "1!"]);
        await disk.rename("d", "moved");
        expect(text(await disk.readFile("moved/two"))).toBe("1!");
        expect(codeOf(await faultOf(disk.rename("d/absent", "x")))).toBe("missing");
        await disk.unlink("moved/two");
        await disk.unlink("moved/two");
        await disk.removeTree("moved");
        await disk.removeTree("moved");
        expect(await disk.list(".")).toEqual([]);
        await disk.syncDirectory(".");
        expect(codeOf(await faultOf(disk.syncDirectory("moved")))).toBe("missing");
      }));

    test("a removed file stays readable through its handle", () =>
      within(make, async (making) => {
        const { disk } = await making.world();
        const file = disk.open("gone", { create: true });
        file.writeAt(0, [bytes("still here")]);
        await disk.unlink("gone");
        const into = new Uint8Array(10);
        expect(await file.read(0, into)).toBe(10);
        expect(text(into)).toBe("still here");
      }));

    test("an atomic replacement leaves the new content and nothing beside it", () =>
      within(make, async (making) => {
        const { disk } = await making.world();
        for (const content of ["first", "2", ""]) {
          await writeFileAtomically(disk, "state", bytes(content));
          expect(text(await disk.readFile("state"))).toBe(content);
        }
        expect((await disk.list(".")).map((entry) => entry.name)).toEqual(["state"]);
        expect(codeOf(await faultOf(writeFileAtomically(disk, "absent/state", bytes("x"))))).toBe("missing");
      }));

    test("a lock has one holder, within a World and between two, until it is released or its holder halts", () =>
      within(make, async (making) => {
        const first = await making.world({ disk: "same" });
        const second = await making.world({ disk: "same" });
        const elsewhere = await making.world({ disk: "other" });
        const held = await first.disk.lock("lock");
        expect(held).not.toBeNull();
        expect(await first.disk.lock("lock")).toBeNull();
        expect(await second.disk.lock("lock")).toBeNull();
        expect(await elsewhere.disk.lock("lock")).not.toBeNull();
        expect(await second.disk.lock("another")).not.toBeNull();
        await held?.release();
        const next = await second.disk.lock("lock");
        expect(next).not.toBeNull();
        expect(await first.disk.lock("lock")).toBeNull();
        second.halt("test");
        expect(await first.disk.lock("lock")).not.toBeNull();
      }));

    test("tells free space and which boot this is", () =>
      within(make, async (making) => {
        const [one, two] = [await making.world(), await making.world()];
        expect(await one.disk.freeBytes(".")).toBeGreaterThan(0);
        expect(await one.disk.bootId()).toBe(await two.disk.bootId());
        expect((await one.disk.bootId()).length).toBeGreaterThan(0);
      }));

    test("after halt nothing reaches the disk, nothing awaited settles, and synchronous calls throw", () =>
      within(make, async (making) => {
        const dead = await making.world({ disk: "same" });
        const living = await making.world({ disk: "same" });
        const file = dead.disk.open("file", { create: true });
        file.writeAt(0, [bytes("before")]);
        const awaited: Promise<unknown>[] = [file.sync(), file.read(0, new Uint8Array(3))];
        dead.halt("test");
        const { disk } = dead;
        awaited.push(file.sync(), file.read(0, new Uint8Array(3)), disk.readFile("file"), disk.list("."), disk.exists("file"), disk.rename("file", "renamed"), disk.unlink("file"));
        awaited.push(disk.removeTree("file"), disk.makeDirectory("d"), disk.syncDirectory("."), disk.lock("lock"), disk.freeBytes("."), disk.bootId());
        for (const act of [() => file.writeAt(0, [bytes("after")]), () => file.truncate(0), () => file.size(), () => file.readAt(0, new Uint8Array(1)), () => file.close(), () => disk.open("new", { create: true })]) {
          expect(act).toThrow(Halted);
        }
        await expectNeverSettled(living, awaited);
        expect((await living.disk.list(".")).map((entry) => entry.name)).toEqual(["file"]);
        expect(text(await living.disk.readFile("file"))).toBe("before");
      }));
  });
}
