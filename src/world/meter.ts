/**
 * Metrics as plain numbers, cheap enough for a hot path: they are read when somebody scrapes.
 * Names carry their unit (`kontiki_produce_bytes_total`). The same name and labels give the same instrument.
 */
export interface Meter {
  counter(name: string, help: string, labels?: Labels): Counter;
  gauge(name: string, help: string, labels?: Labels): Gauge;
  /** `read` is called at scrape time. A second call for the same name and labels replaces the first. */
  observe(name: string, help: string, read: () => number, labels?: Labels): Observed;
  histogram(name: string, help: string, bounds: readonly number[], labels?: Labels): Histogram;
}

export type Labels = { readonly [name: string]: string };
export interface Counter { add(by: number): void }
export interface Gauge { set(value: number): void }
export interface Observed { remove(): void }
export interface Histogram { record(value: number): void }
