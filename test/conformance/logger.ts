import { describe, expect, test } from "vitest";
import { Halted } from "../../src/world/world.js";
import { type Making } from "./making.js";

/** @param lines what the making's loggers have written, one object a line, in order */
export function describeLogger(name: string, make: () => Promise<{ readonly making: Making; lines(): readonly { readonly [field: string]: unknown }[] }>): void {
  describe(`Logger: ${name}`, () => {
    test("a line has its level, its message and its fields, and those of the loggers it came through", async () => {
      const { making, lines } = await make();
      try {
        const { logger } = await making.world();
        const inner = logger.with({ partition: "a-0" }).with({ epoch: 3 });
        logger.debug({}, "one");
        inner.info({ isr: [1, 2] }, "two");
        inner.warn({ epoch: 4 }, "three");
        logger.error({ big: 2n ** 60n }, "four");
        expect(lines().map(({ level, msg, partition, epoch, isr, big }) => ({ level, msg, partition, epoch, isr, big }))).toEqual([
          { level: "debug", msg: "one" },
          { level: "info", msg: "two", partition: "a-0", epoch: 3, isr: [1, 2] },
          { level: "warn", msg: "three", partition: "a-0", epoch: 4 },
          { level: "error", msg: "four", big: "1152921504606846976" },
        ]);
      } finally {
        await making.end();
      }
    });

    test("an error is written with its facts and its cause", async () => {
      const { making, lines } = await make();
      try {
        const { logger } = await making.world();
        const cause = Object.assign(new Error("no space"), { code: "ENOSPC" });
        logger.error({ cause: new Error("append failed", { cause }) }, "stopping");
        expect(lines()[0]).toMatchObject({ cause: { name: "Error", message: "append failed", cause: { message: "no space", code: "ENOSPC" } } });
      } finally {
        await making.end();
      }
    });

    test("a dead World says no more", async () => {
      const { making, lines } = await make();
      try {
        const { logger, halt } = await making.world();
        const inner = logger.with({});
        halt("test");
        const count = lines().length;
        for (const act of [() => logger.info({}, "x"), () => inner.error({}, "x"), () => logger.with({})]) expect(act).toThrow(Halted);
        expect(lines().length).toBe(count);
      } finally {
        await making.end();
      }
    });
  });
}
