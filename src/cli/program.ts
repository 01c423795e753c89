import { Command, InvalidArgumentError, Option } from "commander";
import { absolutePath, environment, exit, printError, readTextFile } from "../host/process.js";
import type { LogLevel } from "../host/logger.js";

/** The command line: one command each, every heavy part loaded when it is asked for. */
const program = new Command("kontiki").description("A Kafka-compatible distributed log").version("0.1.0").showSuggestionAfterError();

function whole(text: string): number {
  if (!/^\d+$/.test(text)) throw new InvalidArgumentError("must be a whole number");
  return Number(text);
}

/** One line that says what is wrong; no stack for what a person can mend. */
function fail(error: unknown): never {
  const known = error instanceof Error && ["SettingsError", "CliError", "NetworkFault", "IdentityError", "LogDirectoryRefused", "DiskFault"].includes(error.name);
  printError(known ? `kontiki: ${(error as Error).message}\n` : `kontiki: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`);
  return exit(1);
}

program
  .command("node")
  .description("run one node from a file of name=value lines with Kafka's names; the environment adds to it (KAFKA_NODE_ID is node.id)")
  .option("--config <file>", "the node's settings")
  .action(async (options: { config?: string }) => {
    try {
      const { parseProperties, propertiesOfEnvironment } = await import("../app/properties.js");
      const { readSettings, SETTING_NAMES, SettingsError } = await import("../app/settings.js");
      const { runNode } = await import("../app/run-node.js");
      const text = options.config === undefined ? "" : readTextFile(absolutePath(options.config));
      if (text === null) throw new SettingsError(`--config: there is no file ${options.config}`);
      const given = new Map([...parseProperties(text), ...propertiesOfEnvironment(environment(), SETTING_NAMES)]);
      const dirs = given.get("log.dirs") ?? given.get("log.dir");
      if (dirs !== undefined) given.set("log.dirs", dirs.split(",").map((dir) => absolutePath(dir.trim())).join(","));
      const { settings, warnings } = readSettings(given);
      await runNode(settings, logLevel(), warnings);
    } catch (error) {
      fail(error);
    }
  });

program
  .command("dev")
  .description("run a cluster on this machine, ready for clients")
  .option("--nodes <count>", "1, 3 or 5", whole, 3)
  .option("--port <number>", "client port of the first node; the others follow", whole, 9092)
  .option("--data <folder>", "where data lies", "./data")
  .option("--ephemeral", "a temporary folder instead, removed at the end")
  .action(async (options: { nodes: number; port: number; data: string; ephemeral?: boolean }) => {
    try {
      const { runDev } = await import("./dev.js");
      await runDev({ ...options, ephemeral: options.ephemeral === true });
    } catch (error) {
      fail(error);
    }
  });

program
  .command("simulate")
  .description("run a whole cluster and its clients from a seed, in virtual time, under faults, and check that what must hold does")
  .option("--seed <seed>", "a number or a word; the same one gives the same run", "1")
  .option("--seeds <count>", "so many seeds from there on, one process a core", whole, 1)
  .option("--nodes <count>", "1 to 9; as the seed has it when left out", whole)
  .option("--faults <which>", "swarm (each seed draws which and how hard), none, or kinds separated by commas", "swarm")
  .option("--minutes <count>", "virtual minutes under faults; about one when left out", Number)
  .option("--plan <file>", "play a kept plan instead of drawing one")
  .option("--keep <folder>", "where plans that failed are kept")
  .option("--shrink", "make them small first")
  .option("--json", "as data")
  .addOption(new Option("--share <index/count>").hideHelp())
  .action(async (given: { seed: string; seeds: number; nodes?: number; faults: string; minutes?: number; plan?: string; keep?: string; shrink?: boolean; json?: boolean; share?: string }) => {
    try {
      const { simulate } = await import("./simulate.js");
      const [index, count] = (given.share ?? "").split("/").map(Number);
      await simulate({
        seed: given.seed,
        seeds: given.seeds,
        nodes: given.nodes ?? null,
        faults: given.faults,
        minutes: given.minutes ?? null,
        plan: given.plan ?? null,
        keep: given.keep ?? null,
        shrink: given.shrink === true,
        json: given.json === true,
        share: index === undefined || count === undefined ? null : { index, count },
      });
    } catch (error) {
      fail(error);
    }
  });

const bootstrap = ["--bootstrap <host:port,...>", "brokers to ask first", "127.0.0.1:9092"] as const;

program
  .command("status")
  .description("brokers, the quorum, and each partition that is not healthy")
  .option(...bootstrap)
  .option("--json", "as data")
  .action((options: { bootstrap: string; json?: boolean }) => show(options, async (client) => (await import("./status.js")).status(client)));

const topics = program.command("topics").description("list, create, describe, delete and alter topics");
const pairs = (text: string, before: readonly (readonly [string, string])[] = []): (readonly [string, string])[] => {
  const cut = text.indexOf("=");
  if (cut < 1) throw new InvalidArgumentError("must be name=value");
  return [...before, [text.slice(0, cut), text.slice(cut + 1)]];
};

topics
  .command("list")
  .option(...bootstrap)
  .option("--internal", "internal topics too")
  .option("--json", "as data")
  .action((options: { bootstrap: string; json?: boolean; internal?: boolean }) => show(options, async (client) => (await import("./topics.js")).listTopics(client, { internal: options.internal === true })));
topics
  .command("create <name>")
  .option(...bootstrap)
  .option("--partitions <count>", "the cluster's default when left out", whole)
  .option("--replicas <count>", "the cluster's default when left out", whole)
  .option("--config <name=value>", "a setting; may be given again", pairs)
  .option("--json", "as data")
  .action((name: string, options: { bootstrap: string; json?: boolean; partitions?: number; replicas?: number; config?: readonly (readonly [string, string])[] }) =>
    show(options, async (client) => (await import("./topics.js")).createTopic(client, name, { partitions: options.partitions ?? -1, replicas: options.replicas ?? -1, configs: options.config ?? [] })),
  );
topics
  .command("describe <name>")
  .option(...bootstrap)
  .option("--json", "as data")
  .action((name: string, options: { bootstrap: string; json?: boolean }) => show(options, async (client) => (await import("./topics.js")).describeTopic(client, name)));
topics
  .command("delete <name>")
  .option(...bootstrap)
  .option("--json", "as data")
  .action((name: string, options: { bootstrap: string; json?: boolean }) => show(options, async (client) => (await import("./topics.js")).deleteTopic(client, name)));
topics
  .command("alter <name>")
  .option(...bootstrap)
  .option("--partitions <count>", "the new total", whole)
  .option("--config <name=value>", "a setting; may be given again", pairs)
  .option("--remove-config <name>", "back to its default; may be given again", (text: string, before: string[] = []) => [...before, text])
  .option("--json", "as data")
  .action((name: string, options: { bootstrap: string; json?: boolean; partitions?: number; config?: readonly (readonly [string, string])[]; removeConfig?: readonly string[] }) =>
    show(options, async (client) => (await import("./topics.js")).alterTopic(client, name, { partitions: options.partitions ?? null, set: options.config ?? [], remove: options.removeConfig ?? [] })),
  );

async function show(options: { readonly bootstrap: string; readonly json?: boolean }, run: (client: import("./kafka-client.js").KafkaClient) => Promise<import("./topics.js").Shown>): Promise<void> {
  try {
    const { runCommand } = await import("./run-command.js");
    await runCommand(options, run);
  } catch (error) {
    fail(error);
  }
}

function logLevel(): LogLevel {
  const given = environment()["KONTIKI_LOG_LEVEL"] ?? "info";
  return (["debug", "info", "warn", "error", "silent"] as const).find((level) => level === given) ?? "info";
}

export function run(): Promise<unknown> {
  return program.parseAsync();
}
