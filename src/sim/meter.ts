/** Metrics of a simulated World: counted, and read by whoever asks. */
import { assert } from "../base/assert.js";
import type { Counter, Gauge, Histogram, Labels, Meter, Observed } from "../world/meter.js";

export interface MetricReading {
  /** A histogram's sum. */
  readonly value: number;
  /** A histogram's counts up to each bound; the last is Infinity. Empty for the others. */
  readonly buckets: readonly { readonly upTo: number; readonly count: number }[];
}

interface Series {
  readonly kind: "counter" | "gauge" | "histogram";
  value: number;
  read: (() => number) | null;
  readonly bounds: readonly number[];
  readonly counts: number[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

export class SimMeter implements Meter {
  readonly #kinds = new Map<string, Series["kind"]>();
  readonly #series = new Map<string, Series>();

  counter(name: string, _help: string, labels: Labels = {}): Counter {
    const series = this.#one(name, "counter", labels);
    return {
      add(by) {
        assert(by >= 0, `${name} is a counter: it only rises`);
        series.value += by;
      },
    };
  }

  gauge(name: string, _help: string, labels: Labels = {}): Gauge {
    const series = this.#one(name, "gauge", labels);
    return { set: (value) => void (series.value = value) };
  }

  observe(name: string, _help: string, read: () => number, labels: Labels = {}): Observed {
    const series = this.#one(name, "gauge", labels);
    series.read = read;
    return { remove: () => void (series.read === read && this.#series.delete(keyOf(name, labels))) };
  }

  histogram(name: string, _help: string, bounds: readonly number[], labels: Labels = {}): Histogram {
    for (let i = 1; i < bounds.length; i++) assert((bounds[i - 1] ?? 0) < (bounds[i] ?? 0), `the bounds of ${name} rise`);
    const series = this.#one(name, "histogram", labels, bounds);
    return {
      record(value) {
        let at = 0;
        while (at < bounds.length && value > (bounds[at] ?? Infinity)) at++;
        series.counts[at] = (series.counts[at] ?? 0) + 1;
        series.value += value;
      },
    };
  }

  read(name: string, labels: Labels = {}): MetricReading | null {
    const series = this.#series.get(keyOf(name, labels));
    if (series === undefined) return null;
    let count = 0;
    const buckets = series.counts.map((more, i) => ({ upTo: series.bounds[i] ?? Infinity, count: (count += more) }));
    return { value: series.read === null ? series.value : series.read(), buckets };
  }

  #one(name: string, kind: Series["kind"], labels: Labels, bounds: readonly number[] = []): Series {
    assert(NAME.test(name), `a metric's name is letters, digits and underscores, not ${name}`);
    assert((this.#kinds.get(name) ?? kind) === kind, `${name} is of another kind already`);
    this.#kinds.set(name, kind);
    const key = keyOf(name, labels);
    let series = this.#series.get(key);
    if (series === undefined) {
      series = { kind, value: 0, read: null, bounds, counts: kind === "histogram" ? new Array<number>(bounds.length + 1).fill(0) : [] };
      this.#series.set(key, series);
    }
    return series;
  }
}

function keyOf(name: string, labels: Labels): string {
  const names = Object.keys(labels);
  return names.length === 0 ? name : `${name} ${JSON.stringify(names.sort().map((label) => [label, labels[label]]))}`;
}
