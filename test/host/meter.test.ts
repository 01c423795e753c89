import { expect, test } from "vitest";
import { HostMeter } from "../../src/host/meter.js";
import { prometheusText } from "../../src/host/prometheus.js";
import { describeMeter } from "../conformance/meter.js";

const sorted = (labels: { readonly [name: string]: string }) => JSON.stringify(Object.entries(labels).sort());

describeMeter("Node", () => {
  const meter = new HostMeter();
  return {
    meter,
    read(name, labels = {}) {
      const series = meter.snapshot().find((metric) => metric.name === name)?.series.find((one) => sorted(one.labels) === sorted(labels));
      return series === undefined ? null : { value: series.value, buckets: series.buckets };
    },
  };
});

test("a scrape joins the meters of several roles into one text", async () => {
  const [broker, controller] = [new HostMeter({ role: "broker" }), new HostMeter({ role: "controller" })];
  broker.counter("kontiki_bytes_total", "Bytes in", { topic: 'a"b\\c' }).add(12);
  broker.counter("kontiki_bytes_total", "Bytes in", { topic: "t" }).add(1.5);
  controller.counter("kontiki_bytes_total", "Bytes in", { topic: "t" }).add(3);
  controller.observe("kontiki_term", "Term", () => 7);
  controller.observe("kontiki_broken", "Broken", () => {
    throw new Error("a reader that fails");
  });
  const histogram = broker.histogram("kontiki_wait_ms", "Waits", [1, 10]);
  histogram.record(0.5);
  histogram.record(50);
  // Plain data: it comes from another thread by structured clone.
  const text = await prometheusText([broker.snapshot(), structuredClone(controller.snapshot())]);
  expect(text.split("\n").filter((line) => line !== "").sort()).toEqual([
    "# HELP kontiki_broken Broken",
    "# HELP kontiki_bytes_total Bytes in",
    "# HELP kontiki_term Term",
    "# HELP kontiki_wait_ms Waits",
    "# TYPE kontiki_broken gauge",
    "# TYPE kontiki_bytes_total counter",
    "# TYPE kontiki_term gauge",
    "# TYPE kontiki_wait_ms histogram",
    'kontiki_broken{role="controller"} Nan',
    'kontiki_bytes_total{role="broker",topic="a\\"b\\\\c"} 12',
    'kontiki_bytes_total{role="broker",topic="t"} 1.5',
    'kontiki_bytes_total{role="controller",topic="t"} 3',
    'kontiki_term{role="controller"} 7',
    'kontiki_wait_ms_bucket{role="broker",le="+Inf"} 2',
    'kontiki_wait_ms_bucket{role="broker",le="1"} 1',
    'kontiki_wait_ms_bucket{role="broker",le="10"} 1',
    'kontiki_wait_ms_count{role="broker"} 2',
    'kontiki_wait_ms_sum{role="broker"} 50.5',
  ].sort());
});
