/** What one node is, read from its settings: who it is, what it does, where it listens and where its peers are. */
import { nodeId, type NodeId } from "../base/ids.js";
import type { ListenerImage } from "../metadata/image.js";
import { SettingsError, type Settings } from "./settings.js";

export interface NodeConfig {
  readonly nodeId: NodeId;
  readonly roles: { readonly broker: boolean; readonly controller: boolean };
  readonly voters: readonly Voter[];
  /** Where clients and followers connect. Empty without the broker role. */
  readonly listeners: readonly ListenerConfig[];
  readonly interBrokerListener: string;
  /** Where this node's rpc server listens; null without the controller role. */
  readonly controllerListener: { readonly host: string; readonly port: number } | null;
  readonly dataDirectory: string;
  readonly metadataDirectory: string;
  readonly rack: string | null;
  /** Metrics and health; null: off. */
  readonly http: { readonly host: string; readonly port: number } | null;
  readonly settings: Settings;
}

export interface Voter {
  readonly id: NodeId;
  readonly host: string;
  readonly port: number;
}

export interface ListenerConfig {
  readonly name: string;
  readonly bind: { readonly host: string; readonly port: number };
  readonly advertised: ListenerImage;
}

/** @throws SettingsError, one line a problem */
export function nodeConfig(settings: Settings): NodeConfig {
  const id = identity(settings);
  const roleNames = settings.list("process.roles");
  if (roleNames.length === 0) throw new SettingsError("process.roles is required: broker, controller, or broker,controller");
  const roles = { broker: roleNames.includes("broker"), controller: roleNames.includes("controller") };

  const voters = readVoters(settings);
  if (voters.length === 0) throw new SettingsError("controller.quorum.voters is required: id@host:port of each controller, separated by commas");
  if (roles.controller && !voters.some((voter) => voter.id === id)) {
    throw new SettingsError(`controller.quorum.voters: node ${id} has the controller role, so its own id@host:port belongs in the list`);
  }
  if (!roles.controller && voters.some((voter) => voter.id === id)) {
    throw new SettingsError(`controller.quorum.voters: node ${id} is in the list but process.roles has no controller`);
  }

  const controllerNames = settings.list("controller.listener.names");
  if (controllerNames.length === 0) throw new SettingsError("controller.listener.names is required: the name of the controllers' listener, for instance CONTROLLER");
  const all = readListeners(settings.list("listeners"), "listeners");
  checkProtocols(settings, [...all.map((one) => one.name), ...controllerNames]);
  const { listeners, interBrokerListener } = readBrokerListeners(settings, roles.broker, all, controllerNames);
  const controllerListener = roles.controller ? (all.find((one) => controllerNames.includes(one.name)) ?? null) : null;
  if (roles.controller && controllerListener === null) throw new SettingsError(`listeners: add ${controllerNames[0] ?? "CONTROLLER"}://host:port, the controller role listens there`);

  const directories = settings.list(settings.has("log.dirs") ? "log.dirs" : "log.dir");
  if (directories.length > 1) throw new SettingsError("log.dirs: one directory per node for now; give one path");
  const dataDirectory = directories[0] ?? "";
  if (dataDirectory === "") throw new SettingsError("log.dirs is required: the folder for this node's data");

  return {
    nodeId: id,
    roles,
    voters,
    listeners,
    interBrokerListener,
    controllerListener: controllerListener && { host: controllerListener.host, port: controllerListener.port },
    dataDirectory,
    metadataDirectory: settings.text("metadata.log.dir") ?? dataDirectory,
    rack: settings.text("broker.rack"),
    http: readHttp(settings),
    settings,
  };
}

function identity(settings: Settings): NodeId {
  const texts = ["node.id", "broker.id"].filter((name) => settings.has(name)).map((name) => settings.text(name));
  if (texts.length === 0) throw new SettingsError("node.id is required: a number from 0 up, different for each node");
  if (texts.length === 2 && texts[0] !== texts[1]) throw new SettingsError(`node.id and broker.id differ (${texts.join(" and ")}): keep node.id`);
  return nodeId(Number(texts[0]));
}

function readVoters(settings: Settings): readonly Voter[] {
  const voters = settings.list("controller.quorum.voters").map((text) => {
    const match = /^(\d+)@(.+):(\d+)$/.exec(text);
    if (match === null) throw new SettingsError(`controller.quorum.voters: ${text} is not id@host:port`);
    return { id: nodeId(Number(match[1])), host: bare(match[2] ?? ""), port: port(match[3] ?? "", "controller.quorum.voters") };
  });
  if (new Set(voters.map((voter) => voter.id)).size !== voters.length) throw new SettingsError("controller.quorum.voters: an id is given twice");
  return voters;
}

interface NamedAddress {
  readonly name: string;
  readonly host: string;
  readonly port: number;
}

function readListeners(texts: readonly string[], setting: string): readonly NamedAddress[] {
  const found = texts.map((text) => {
    const match = /^([A-Za-z0-9_.-]+):\/\/(.*):(-?\d+)$/.exec(text);
    if (match === null) throw new SettingsError(`${setting}: ${text} is not NAME://host:port`);
    return { name: (match[1] ?? "").toUpperCase(), host: bare(match[2] ?? ""), port: port(match[3] ?? "", setting) };
  });
  if (new Set(found.map((one) => one.name)).size !== found.length) throw new SettingsError(`${setting}: a name is given twice`);
  return found;
}

function readBrokerListeners(settings: Settings, broker: boolean, all: readonly NamedAddress[], controllerNames: readonly string[]) {
  if (!broker) return { listeners: [], interBrokerListener: "" };
  const own = all.filter((one) => !controllerNames.includes(one.name));
  if (own.length === 0) throw new SettingsError("listeners: a broker needs a listener for clients, for instance PLAINTEXT://:9092");
  const advertised = readListeners(settings.list("advertised.listeners"), "advertised.listeners");
  for (const one of advertised) {
    if (!all.some((listener) => listener.name === one.name)) throw new SettingsError(`advertised.listeners: ${one.name} is not in listeners`);
    if (one.host === "0.0.0.0" || one.host === "::") throw new SettingsError("advertised.listeners: 0.0.0.0 is no address that a client can reach; give a host name");
  }
  const listeners = own.map((one): ListenerConfig => {
    const shown = advertised.find((other) => other.name === one.name) ?? one;
    return {
      name: one.name,
      bind: { host: one.host, port: one.port },
      advertised: { name: one.name, host: shown.host, port: shown.port, protocol: "PLAINTEXT" },
    };
  });
  const wanted = settings.text("inter.broker.listener.name")?.toUpperCase();
  const interBrokerListener = wanted ?? (listeners.find((one) => one.name === "PLAINTEXT") ?? listeners[0])?.name ?? "";
  if (!listeners.some((one) => one.name === interBrokerListener)) throw new SettingsError(`inter.broker.listener.name: ${interBrokerListener} is not among the broker's listeners`);
  return { listeners, interBrokerListener };
}

/** Only PLAINTEXT exists; any other protocol stops the start, since serving it in the clear would be less safe than asked for. */
function checkProtocols(settings: Settings, names: readonly string[]): void {
  const map = new Map(settings.list("listener.security.protocol.map").map((pair) => {
    const [name = "", protocol = ""] = pair.split(":");
    return [name.trim().toUpperCase(), protocol.trim().toUpperCase()] as const;
  }));
  for (const name of names) {
    const upper = name.toUpperCase();
    const protocol = map.get(upper) ?? (["SSL", "SASL_PLAINTEXT", "SASL_SSL"].includes(upper) ? upper : "PLAINTEXT");
    if (protocol !== "PLAINTEXT") throw new SettingsError(`listener ${name}: ${protocol} is not built yet, and this node does not serve it in the clear; use PLAINTEXT on a trusted network`);
  }
  const between = settings.text("security.inter.broker.protocol");
  if (between !== null && between !== "PLAINTEXT") throw new SettingsError(`security.inter.broker.protocol: ${between} is not built yet; use PLAINTEXT on a trusted network`);
}

function readHttp(settings: Settings): { readonly host: string; readonly port: number } | null {
  const text = settings.text("kontiki.http.listener") ?? "";
  if (text === "") return null;
  const match = /^(?:http:\/\/)?(.*):(\d+)$/.exec(text);
  if (match === null) throw new SettingsError(`kontiki.http.listener: ${text} is not host:port`);
  return { host: bare(match[1] ?? ""), port: port(match[2] ?? "", "kontiki.http.listener") };
}

function port(text: string, setting: string): number {
  const n = Number(text);
  if (!Number.isInteger(n) || n < 0 || n > 65535) throw new SettingsError(`${setting}: ${text} is not a port (0 to 65535)`);
  return n;
}

/** IPv6 addresses come in brackets. */
function bare(host: string): string {
  return host.startsWith("[") && host.endsWith("]") ? host.slice(1, -1) : host;
}
