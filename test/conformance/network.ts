import { describe, expect, test } from "vitest";
import { type Connection, type ConnectionEnd, type Listener, NetworkFault } from "../../src/world/network.js";
import { Halted, type World } from "../../src/world/world.js";
import { expectNeverSettled, faultOf, later, type MakeMaking, within } from "./making.js";

const HOST = "127.0.0.1";

/** Gathers what a connection tells. */
class Ear {
  readonly chunks: Buffer[] = [];
  finished = false;
  readonly end = later<ConnectionEnd>();
  readonly finish = later();
  ends = 0;

  constructor(readonly connection: Connection) {
    connection.onData((chunk) => this.chunks.push(Buffer.from(chunk))); // a lent chunk is copied to be kept
    connection.onFinish(() => {
      this.finished = true;
      this.finish.resolve();
    });
    connection.onEnd((end) => {
      this.ends++;
      this.end.resolve(end);
    });
  }

  get heard(): Buffer {
    return Buffer.concat(this.chunks);
  }
}

async function pairOf(server: World, client: World = server): Promise<{ readonly listener: Listener; readonly near: Ear; readonly far: Ear }> {
  const accepted = later<Ear>();
  const listener = await server.network.listen({ host: HOST, port: 0 }, (connection) => accepted.resolve(new Ear(connection)));
  const near = new Ear(await client.network.connect({ host: HOST, port: listener.port, timeoutMs: 5000 }));
  return { listener, near, far: await accepted.promise };
}

/** Waits for a condition by turns of the clock, with an end. */
async function until(world: World, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 5000 && !holds(); i++) await world.clock.sleep(1);
  expect(holds()).toBe(true);
}

/** Bytes that tell their place. */
function pattern(length: number): Buffer {
  const bytes = Buffer.alloc(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >> 8)) & 255;
  return bytes;
}

export function describeNetwork(name: string, make: MakeMaking): void {
  describe(`Network: ${name}`, () => {
    test("bytes arrive in order and whole, both ways, then each side's finish", () =>
      within(make, async (making) => {
        const world = await making.world();
        const { near, far } = await pairOf(world);
        const [there, back] = [pattern(3_000_000), pattern(100_001)];
        for (let at = 0; at < there.length; at += 70_000) {
          const piece = there.subarray(at, at + 70_000);
          near.connection.write([piece.subarray(0, 10), new Uint8Array(0), piece.subarray(10)]);
          if (at % 210_000 === 0) await world.clock.yield();
        }
        far.connection.write([back]);
        near.connection.finish();
        await far.finish.promise;
        expect(far.heard.equals(there)).toBe(true);
        far.connection.write([Buffer.from("after the other side's finish")]);
        far.connection.finish();
        await near.finish.promise;
        expect(near.heard.equals(Buffer.concat([back, Buffer.from("after the other side's finish")]))).toBe(true);
        expect([await near.end.promise, await far.end.promise]).toEqual(["closed", "closed"]);
        expect([near.ends, far.ends]).toEqual([1, 1]);
      }));

    test("both sides know each other's addresses", () =>
      within(make, async (making) => {
        const { listener, near, far } = await pairOf(await making.world());
        expect(listener.port).toBeGreaterThan(0);
        expect(near.connection.remote).toEqual({ host: HOST, port: listener.port });
        expect(far.connection.local).toEqual(near.connection.remote);
        expect(far.connection.remote).toEqual(near.connection.local);
      }));

    test("writes are kept, lent and released once each, in order", () =>
      within(make, async (making) => {
        const world = await making.world();
        const { near, far } = await pairOf(world);
        const released: number[] = [];
        for (let i = 0; i < 50; i++) near.connection.write([Buffer.from([i])], () => released.push(i));
        near.connection.write([], () => released.push(50)); // nothing to send is released too
        expect(released).toEqual([]); // never within the call
        await until(world, () => released.length === 51);
        await until(world, () => far.heard.length === 50);
        expect(released).toEqual(Array.from({ length: 51 }, (_, i) => i));
        expect([...far.heard]).toEqual(released.slice(0, 50));
        expect(near.connection.queuedBytes()).toBe(0);
      }));

    test("a receiver that pauses makes the sender's queue grow until it is told to wait, and drain tells it to go on", () =>
      within(make, async (making) => {
        const world = await making.world();
        const { near, far } = await pairOf(world);
        far.connection.pause();
        await world.clock.sleep(5);
        let drained = 0;
        near.connection.onDrain(() => drained++);
        const piece = pattern(256 * 1024);
        let sent = 0;
        while (sent < 200_000_000) {
          sent += piece.length;
          if (!near.connection.write([piece])) break;
          await world.clock.yield();
        }
        expect(near.connection.queuedBytes()).toBeGreaterThan(0);
        const heard = far.heard.length;
        await world.clock.sleep(20);
        expect([far.heard.length, drained]).toEqual([heard, 0]);
        far.connection.resume();
        await until(world, () => far.heard.length === sent);
        expect([drained, near.connection.queuedBytes()]).toEqual([1, 0]);
      }));

    test("destroy drops the connection: the far side hears of the end, what was lent comes back, later writes go nowhere", () =>
      within(make, async (making) => {
        const world = await making.world();
        const { near, far } = await pairOf(world);
        let released = 0;
        near.connection.write([pattern(100)], () => released++);
        near.connection.destroy();
        near.connection.write([pattern(100)], () => released++);
        expect(await near.end.promise).toBe("closed");
        await until(world, () => released === 2);
        near.connection.write([pattern(1)], () => released++);
        near.connection.finish();
        near.connection.destroy();
        await until(world, () => released === 3);
        await Promise.race([far.finish.promise, far.end.promise]);
        far.connection.finish();
        await far.end.promise;
        expect([near.ends, far.ends]).toEqual([1, 1]);
      }));

    test("who goes on writing to a connection that the other side dropped is told of a reset", () =>
      within(make, async (making) => {
        const world = await making.world();
        const { near, far } = await pairOf(world);
        far.connection.destroy();
        await Promise.race([near.finish.promise, near.end.promise]);
        for (let i = 0; i < 100 && near.ends === 0; i++) {
          near.connection.write([pattern(10)]);
          await world.clock.sleep(2);
        }
        expect(await near.end.promise).toBe("reset");
      }));

    test("a chunk is overwritten after its callback, so it is copied by who keeps it", () =>
      within(make, async (making) => {
        const world = await making.world();
        const { near, far } = await pairOf(world);
        let seen = 0;
        far.connection.onData((chunk) => {
          seen += chunk.length;
          chunk.fill(0); // the receiver may even write into it
        });
        near.connection.write([pattern(500_000)]);
        await until(world, () => seen === 500_000);
      }));

    test("nothing is delivered before the turn of the hand-over ends", () =>
      within(make, async (making) => {
        const world = await making.world();
        const listener = await world.network.listen({ host: HOST, port: 0 }, (connection) => {
          connection.write([Buffer.from("greeting")]);
          connection.finish();
        });
        const connection = await world.network.connect({ host: HOST, port: listener.port, timeoutMs: 5000 });
        for (let i = 0; i < 20; i++) await Promise.resolve();
        const ear = new Ear(connection);
        await ear.finish.promise;
        expect(ear.heard.toString()).toBe("greeting");
      }));

    test("a closed listener refuses dials and leaves its connections alone; its port can be taken again", () =>
      within(make, async (making) => {
        const world = await making.world();
        const { listener, near, far } = await pairOf(world);
        await listener.close();
        const fault = await faultOf(world.network.connect({ host: HOST, port: listener.port, timeoutMs: 5000 }));
        expect(fault).toBeInstanceOf(NetworkFault);
        expect(fault).toMatchObject({ code: "refused" });
        near.connection.write([Buffer.from("still")]);
        await until(world, () => far.heard.toString() === "still");
        await world.network.listen({ host: HOST, port: listener.port }, () => undefined);
      }));

    test("a port has one listener", () =>
      within(make, async (making) => {
        const [one, two] = [await making.world(), await making.world()];
        const { port } = await one.network.listen({ host: HOST, port: 0 }, () => undefined);
        expect(await faultOf(two.network.listen({ host: HOST, port }, () => undefined))).toMatchObject({ code: "address-in-use" });
      }));

    test("a dial that nobody answers ends in time", () =>
      within(make, async (making) => {
        const { network } = await making.world();
        const fault = await faultOf(network.connect({ host: "name-that-does-not-exist.invalid", port: 9, timeoutMs: 2000 }));
        expect(fault).toBeInstanceOf(NetworkFault);
        expect(["unreachable", "timed-out"]).toContain(fault instanceof NetworkFault ? fault.code : fault);
      }));

    test("after halt connections are gone, nothing is delivered or settles, and synchronous calls throw", () =>
      within(make, async (making) => {
        const [dead, living] = [await making.world(), await making.world()];
        const { listener, near, far } = await pairOf(dead, living);
        let released = 0;
        far.connection.write([pattern(10)], () => released++);
        const dialling = dead.network.connect({ host: HOST, port: listener.port, timeoutMs: 1000 });
        dead.halt("test");
        const awaited: Promise<unknown>[] = [dialling, listener.close(), dead.network.listen({ host: HOST, port: 0 }, () => undefined), dead.network.connect({ host: HOST, port: 1, timeoutMs: 10 })];
        await Promise.race([near.finish.promise, near.end.promise]);
        await expectNeverSettled(living, awaited);
        expect([far.ends, released]).toEqual([0, 0]);
        expect(near.heard.length).toBe(0); // it was still queued
        const { connection } = far;
        for (const act of [() => connection.write([pattern(1)]), () => connection.finish(), () => connection.destroy(), () => connection.pause(), () => connection.resume()]) expect(act).toThrow(Halted);
        expect(await faultOf(living.network.connect({ host: HOST, port: listener.port, timeoutMs: 1000 }))).toMatchObject({ code: "refused" });
      }));
  });
}
