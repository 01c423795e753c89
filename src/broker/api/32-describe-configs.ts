/** DescribeConfigs, versions 1-4: what is in force and where it comes from. v3 types and documentation. A broker describes only itself. */
import { NO_UUID } from "../../base/ids.js";
import { errorCode, type ErrorName } from "../../protocol/errors.js";
import { DescribeConfigsRequest, DescribeConfigsResponse } from "../../protocol/messages/32-describe-configs.js";
import type { Input } from "../../protocol/schema.js";
import { TOPIC_SETTINGS, topicSettingValues, type TopicSetting } from "../../metadata/topic-settings.js";
import { isTopicName } from "../describe.js";
import { handler } from "../handler.js";
import { CONFIG_SOURCE, CONFIG_TYPE, configTypeOf } from "../resources.js";
import type { BrokerServices } from "../services.js";

type Result = NonNullable<Input<typeof DescribeConfigsResponse>["results"]>[number];
type Config = NonNullable<Result["configs"]>[number];
type Asked = DescribeConfigsRequest["resources"][number];

interface Layer {
  readonly name: string;
  readonly value: string | null;
  readonly source: keyof typeof CONFIG_SOURCE;
}

export const describeConfigs = handler(DescribeConfigsRequest, DescribeConfigsResponse, (services, request) => ({
  body: {
    results: request.resources.map((asked) => {
      const found = describe(services, asked, request.includeSynonyms);
      const head = { resourceType: asked.resourceType, resourceName: asked.resourceName };
      return "error" in found ? { ...head, errorCode: errorCode(found.error), errorMessage: found.message } : { ...head, configs: found.configs };
    }),
  },
}));

function describe(services: BrokerServices, asked: Asked, synonyms: boolean): { readonly configs: readonly Config[] } | { readonly error: ErrorName; readonly message: string } {
  const { image } = services.coordination;
  const wanted = (name: string) => asked.configurationKeys === null || asked.configurationKeys.length === 0 || asked.configurationKeys.includes(name);
  switch (configTypeOf(asked.resourceType)) {
    case "topic": {
      if (!isTopicName(asked.resourceName)) return { error: "INVALID_TOPIC_EXCEPTION", message: `${asked.resourceName} is no topic name` };
      const topic = image.topic(asked.resourceName);
      if (topic === null || topic.id === NO_UUID) return { error: "UNKNOWN_TOPIC_OR_PARTITION", message: `there is no topic ${asked.resourceName}` };
      return { configs: TOPIC_SETTINGS.filter((setting) => setting.internal !== true && wanted(setting.name)).map((setting) => toConfig(setting, topicLayers(services, topic.name, setting), { readOnly: false, synonyms })) };
    }
    case "broker": {
      if (asked.resourceName !== "" && asked.resourceName !== String(services.nodeId)) {
        return { error: "INVALID_REQUEST", message: `this is broker ${services.nodeId}: ask broker ${asked.resourceName} itself, or give no name for the cluster-wide defaults` };
      }
      const cluster = asked.resourceName === "";
      const configs = services.settings.names().filter(wanted).flatMap((name): Config[] => {
        const definition = services.settings.definition(name);
        const layers = services.settings.layers(name).filter((layer) => !cluster || layer.source === "default-broker");
        if (definition === null || (cluster && layers.length === 0)) return [];
        return [toConfig(definition, layers, { readOnly: definition.update === "read-only", synonyms })];
      });
      return { configs };
    }
    case "group":
    case "client-metrics":
      return { configs: [] };
    case null:
      return { error: "INVALID_REQUEST", message: `resource type ${asked.resourceType} has no settings` };
  }
}

/** The topic's own value, then the broker's under its own names for it, then the built-in default. */
function topicLayers(services: BrokerServices, topic: string, setting: TopicSetting): readonly Layer[] {
  const sources = { topic: "topic", broker: "broker", cluster: "default-broker", static: "static", default: "default" } as const;
  return topicSettingValues(services.coordination.image, topic, setting, services.settings.defaults).map((layer) => ({ name: layer.name, value: layer.value, source: sources[layer.source] }));
}

function toConfig(setting: { readonly name: string; readonly type: keyof typeof CONFIG_TYPE }, layers: readonly Layer[], options: { readonly readOnly: boolean; readonly synonyms: boolean }): Config {
  const secret = setting.type === "password";
  const shown = (layer: Layer | undefined) => (secret ? null : (layer?.value ?? null));
  const first = layers[0];
  return {
    name: setting.name,
    value: shown(first),
    readOnly: options.readOnly,
    configSource: CONFIG_SOURCE[first?.source ?? "default"],
    isSensitive: secret,
    synonyms: options.synonyms ? layers.map((layer) => ({ name: layer.name, value: shown(layer), source: CONFIG_SOURCE[layer.source] })) : [],
    configType: CONFIG_TYPE[setting.type],
  };
}
