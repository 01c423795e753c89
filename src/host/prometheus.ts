/** Metrics as Prometheus reads them. Loaded at the first scrape, since prom-client is not needed to run a node. */
import { AggregatorRegistry } from "prom-client";
import type { MetricSnapshot, SeriesSnapshot } from "./meter.js";

export const PROMETHEUS_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8";

/** @param snapshots of several meters: series with the same name and labels are added up */
export async function prometheusText(snapshots: readonly (readonly MetricSnapshot[])[]): Promise<string> {
  const registry = AggregatorRegistry.aggregate(snapshots.map((metrics) => metrics.map(asPromClient)));
  return registry.metrics();
}

/** prom-client's own form of a metric that another process has collected. */
function asPromClient(metric: MetricSnapshot): object {
  return {
    name: metric.name,
    help: metric.help,
    type: metric.kind,
    aggregator: "sum",
    values: metric.series.flatMap((series) => (metric.kind === "histogram" ? histogramValues(metric.name, series) : [{ labels: series.labels, value: series.value }])),
  };
}

function histogramValues(name: string, series: SeriesSnapshot): object[] {
  const last = series.buckets.at(-1)?.count ?? 0;
  return [
    ...series.buckets.map(({ upTo, count }) => ({ metricName: `${name}_bucket`, labels: { ...series.labels, le: upTo === Infinity ? "+Inf" : String(upTo) }, value: count })),
    { metricName: `${name}_sum`, labels: series.labels, value: series.value },
    { metricName: `${name}_count`, labels: series.labels, value: last },
  ];
}
