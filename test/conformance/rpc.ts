import { describe, expect, test } from "vitest";
import type { RpcAddress, RpcEnd, RpcStream } from "../../src/world/rpc.js";
import { Halted, type World } from "../../src/world/world.js";
import { later } from "./making.js";

/** Two roles, of which the first serves at `address` and the second opens streams to it. */
export interface RpcMaking {
  readonly server: World;
  readonly client: World;
  readonly address: RpcAddress;
  /** How the server's machine knows the client's; the host of `address` if left out. */
  readonly clientHost?: string;
  /** Where nobody listens; null if the carrier has no such place. */
  readonly nobody: RpcAddress | null;
  run<T>(work: () => Promise<T>): Promise<T>;
  end(): Promise<void>;
}

const METHOD = "kontiki.test.v1.Test/Exchange";

class Ear {
  readonly heard: Uint8Array[] = [];
  readonly end = later<RpcEnd>();
  ends = 0;
  afterEnd = 0;

  constructor(readonly stream: RpcStream) {
    stream.onMessage((message) => {
      if (this.ends > 0) this.afterEnd++;
      this.heard.push(message);
    });
    stream.onEnd((end) => {
      this.ends++;
      this.end.resolve(end);
    });
  }

  get lines(): string[] {
    return this.heard.map((message) => new TextDecoder().decode(message));
  }
}

const bytes = (text: string) => new TextEncoder().encode(text);

async function until(world: World, holds: () => boolean): Promise<void> {
  for (let i = 0; i < 5000 && !holds(); i++) await world.clock.sleep(1);
  expect(holds()).toBe(true);
}

function serving(making: RpcMaking, method = METHOD): Promise<Ear> {
  const accepted = later<Ear>();
  making.server.rpc.serve(method, (stream) => accepted.resolve(new Ear(stream)));
  return accepted.promise;
}

async function pairOf(making: RpcMaking): Promise<{ readonly near: Ear; readonly far: Ear }> {
  const accepted = serving(making);
  await making.client.clock.sleep(5); // a served method of another thread is known there a little later
  const near = new Ear(making.client.rpc.open(making.address, METHOD));
  near.stream.send(bytes("hello"));
  const far = await accepted;
  await until(making.client, () => far.heard.length === 1);
  return { near, far };
}

export function describeRpc(name: string, make: () => Promise<RpcMaking>): void {
  const within = async (work: (making: RpcMaking) => Promise<void>) => {
    const making = await make();
    try {
      await making.run(() => work(making));
    } finally {
      await making.end();
    }
  };

  describe(`Rpc: ${name}`, () => {
    test("messages keep their bounds and order, both ways, empty and large ones too", () =>
      within(async (making) => {
        const { near, far } = await pairOf(making);
        const large = new Uint8Array(3_000_000).map((_, i) => i % 251);
        for (let i = 0; i < 500; i++) near.stream.send(bytes(`there ${i}`));
        near.stream.send(new Uint8Array(0));
        near.stream.send(large);
        for (let i = 0; i < 500; i++) far.stream.send(bytes(`back ${i}`));
        await until(making.client, () => far.heard.length === 503 && near.heard.length === 500);
        expect(far.lines.slice(1, 501)).toEqual(Array.from({ length: 500 }, (_, i) => `there ${i}`));
        expect(far.heard[501]?.length).toBe(0);
        expect(Buffer.from(far.heard[502] ?? []).equals(large)).toBe(true);
        expect(near.lines).toEqual(Array.from({ length: 500 }, (_, i) => `back ${i}`));
      }));

    test("each side knows where the other is", () =>
      within(async (making) => {
        const { near, far } = await pairOf(making);
        expect(near.stream.remote).toEqual(making.address);
        expect(far.stream.remote.host).toBe(making.clientHost ?? making.address.host);
      }));

    test("streams of several methods and several streams of one method do not mix", () =>
      within(async (making) => {
        const { server, client } = making;
        const ears: Ear[] = [];
        for (const method of ["a.A/X", "b.B/Y"]) server.rpc.serve(method, (stream) => {
          ears.push(new Ear(stream));
          stream.onMessage((message) => stream.send(bytes(`${method} ${new TextDecoder().decode(message)}`)));
        });
        await client.clock.sleep(5);
        const streams = Array.from({ length: 10 }, (_, i) => new Ear(client.rpc.open(making.address, i % 2 === 0 ? "a.A/X" : "b.B/Y")));
        streams.forEach((ear, i) => ear.stream.send(bytes(String(i))));
        await until(client, () => streams.every((ear) => ear.heard.length === 1));
        expect(streams.map((ear) => ear.lines[0])).toEqual(streams.map((_, i) => (i % 2 === 0 ? `a.A/X ${i}` : `b.B/Y ${i}`)));
      }));

    test("a message is the receiver's own, and sending takes nothing from the sender", () =>
      within(async (making) => {
        const { near, far } = await pairOf(making);
        const message = bytes("shared?");
        near.stream.send(message);
        near.stream.send(message.subarray(0, 6));
        await until(making.client, () => far.heard.length === 3);
        far.heard[1]?.fill(0);
        expect(new TextDecoder().decode(message)).toBe("shared?");
        expect(far.lines[2]).toBe("shared");
      }));

    for (const who of ["opener", "server"] as const) {
      test(`close by the ${who} delivers what was queued, then both sides see "closed" once`, () =>
        within(async (making) => {
          const { near, far } = await pairOf(making);
          const [closer, other] = who === "opener" ? [near, far] : [far, near];
          const before = other.heard.length;
          for (let i = 0; i < 200; i++) closer.stream.send(new Uint8Array(5000).fill(i));
          closer.stream.close();
          closer.stream.close();
          closer.stream.send(bytes("too late"));
          expect(closer.ends).toBe(0); // never within the call
          expect(await other.end.promise).toBe("closed");
          expect(await closer.end.promise).toBe("closed");
          expect(other.heard.length - before).toBe(200);
          other.stream.send(bytes("into nothing"));
          other.stream.close();
          await making.client.clock.sleep(20);
          expect([closer.ends, other.ends, closer.afterEnd, other.afterEnd]).toEqual([1, 1, 0, 0]);
        }));
    }

    test("a sender that is faster than the way is told to wait, and drain tells it to go on", () =>
      within(async (making) => {
        const { near, far } = await pairOf(making);
        let drained = 0;
        near.stream.onDrain(() => drained++);
        const message = new Uint8Array(200_000);
        let sent = 0;
        while (sent < 1000) {
          sent++;
          if (!near.stream.send(message)) break;
        }
        expect(sent).toBeLessThan(1000);
        expect(near.stream.queuedBytes()).toBeGreaterThan(0);
        await until(making.client, () => far.heard.length === sent + 1 && near.stream.queuedBytes() === 0);
        expect(drained).toBe(1);
      }));

    test("a method that is not served there ends as unreachable, and can be opened once it is", () =>
      within(async (making) => {
        const early = new Ear(making.client.rpc.open(making.address, METHOD));
        early.stream.send(bytes("anybody?"));
        expect(early.ends).toBe(0); // the callbacks come first
        expect(await early.end.promise).toBe("unreachable");
        await pairOf(making);
      }));

    test("an address where nobody listens ends as refused, each time anew and at once", () =>
      within(async (making) => {
        if (making.nobody === null) return;
        for (let i = 0; i < 3; i++) {
          const ear = new Ear(making.client.rpc.open(making.nobody, METHOD));
          ear.stream.send(bytes("x"));
          expect(await ear.end.promise).toBe("refused");
          expect(ear.heard).toEqual([]);
        }
      }));

    for (const who of ["server", "client"] as const) {
      test(`when the ${who} halts, the other side sees "reset" and the dead one nothing more`, () =>
        within(async (making) => {
          const { near, far } = await pairOf(making);
          const [dead, living] = who === "server" ? [far, near] : [near, far];
          const [deadWorld, livingWorld] = who === "server" ? [making.server, making.client] : [making.client, making.server];
          const heard = dead.heard.length;
          living.stream.send(bytes("on its way"));
          deadWorld.halt("test");
          expect(await living.end.promise).toBe("reset");
          await livingWorld.clock.sleep(10);
          expect([dead.ends, dead.heard.length, living.ends]).toEqual([0, heard, 1]);
          expect(() => dead.stream.send(bytes("x"))).toThrow(Halted);
          expect(() => dead.stream.close()).toThrow(Halted);
          expect(() => deadWorld.rpc.open(making.address, METHOD)).toThrow(Halted);
          expect(() => deadWorld.rpc.serve("x.X/Y", () => undefined)).toThrow(Halted);
          if (who === "server") {
            const again = new Ear(making.client.rpc.open(making.address, METHOD));
            expect(["unreachable", "refused", "reset"]).toContain(await again.end.promise);
          }
        }));
    }
  });
}
