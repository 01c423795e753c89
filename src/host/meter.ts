/**
 * Metrics as plain numbers. Nothing is formatted until somebody scrapes: `snapshot` hands out plain data, which may come from another
 * thread, and prometheus.ts makes text of it.
 */
import { assert } from "../base/assert.js";
import type { Counter, Gauge, Histogram, Labels, Meter, Observed } from "../world/meter.js";

export type MetricKind = "counter" | "gauge" | "histogram";

export interface MetricSnapshot {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly series: readonly SeriesSnapshot[];
}

export interface SeriesSnapshot {
  readonly labels: Labels;
  /** A counter's or gauge's value; a histogram's sum. */
  readonly value: number;
  /** A histogram's counts up to each bound, with the bound; the last is Infinity. Empty for the others. */
  readonly buckets: readonly { readonly upTo: number; readonly count: number }[];
}

interface Series {
  readonly labels: Labels;
  value: number;
  read: (() => number) | null;
  readonly counts: Float64Array; // histogram: one for each bound and one above
}

interface Family {
  readonly name: string;
  readonly help: string;
  readonly kind: MetricKind;
  readonly bounds: readonly number[];
  readonly series: Map<string, Series>;
}

/** A label made from something unbounded would eat the memory: above this the author has made a mistake. */
const SERIES_MAX = 20_000;
const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/;

/** Does not ask whether its World lives: a number reaches nobody until it is read from outside. */
export class HostMeter implements Meter {
  readonly #families = new Map<string, Family>();
  readonly #always: Labels;

  /** @param always labels on every series, for instance the role */
  constructor(always: Labels = {}) {
    this.#always = always;
  }

  counter(name: string, help: string, labels: Labels = {}): Counter {
    const series = this.#series(name, help, "counter", [], labels);
    return {
      add(by) {
        assert(by >= 0, `${name} is a counter: it only rises`);
        series.value += by;
      },
    };
  }

  gauge(name: string, help: string, labels: Labels = {}): Gauge {
    const series = this.#series(name, help, "gauge", [], labels);
    return {
      set(value) {
        series.value = value;
      },
    };
  }

  observe(name: string, help: string, read: () => number, labels: Labels = {}): Observed {
    const series = this.#series(name, help, "gauge", [], labels);
    series.read = read;
    return {
      remove: () => {
        if (series.read === read) this.#families.get(name)?.series.delete(keyOf(labels));
      },
    };
  }

  histogram(name: string, help: string, bounds: readonly number[], labels: Labels = {}): Histogram {
    for (let i = 1; i < bounds.length; i++) assert((bounds[i - 1] ?? 0) < (bounds[i] ?? 0), `the bounds of ${name} rise`);
    const series = this.#series(name, help, "histogram", bounds, labels);
    return {
      record(value) {
        let at = 0;
        while (at < bounds.length && value > (bounds[at] as number)) at++; // at < length: the bound is there
        series.counts[at] = (series.counts[at] ?? 0) + 1;
        series.value += value;
      },
    };
  }

  snapshot(): readonly MetricSnapshot[] {
    return [...this.#families.values()].map((family) => ({
      name: family.name,
      help: family.help,
      kind: family.kind,
      series: [...family.series.values()].map((series) => ({
        labels: { ...this.#always, ...series.labels },
        value: series.read === null ? series.value : readSafely(series.read),
        buckets: bucketsOf(family, series),
      })),
    }));
  }

  #series(name: string, help: string, kind: MetricKind, bounds: readonly number[], labels: Labels): Series {
    let family = this.#families.get(name);
    if (family === undefined) {
      assert(NAME.test(name), `a metric's name is letters, digits and underscores, not ${name}`);
      family = { name, help, kind, bounds, series: new Map() };
      this.#families.set(name, family);
    }
    assert(family.kind === kind, `${name} is a ${family.kind} already`);
    const key = keyOf(labels);
    let series = family.series.get(key);
    if (series === undefined) {
      assert(family.series.size < SERIES_MAX, `${name} has ${SERIES_MAX} series; one of its labels has no bound`);
      series = { labels, value: 0, read: null, counts: new Float64Array(kind === "histogram" ? bounds.length + 1 : 0) };
      family.series.set(key, series);
    }
    return series;
  }
}

function keyOf(labels: Labels): string {
  return JSON.stringify(Object.keys(labels).sort().map((name) => [name, labels[name]]));
}

function bucketsOf(family: Family, series: Series): { upTo: number; count: number }[] {
  let count = 0;
  return [...series.counts].map((more, i) => ({ upTo: family.bounds[i] ?? Infinity, count: (count += more) }));
}

/** One reader that fails must not hide every other number. */
function readSafely(read: () => number): number {
  try {
    return read();
  } catch {
    return NaN;
  }
}
