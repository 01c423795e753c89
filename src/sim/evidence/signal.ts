/** Something that is told to whoever listens, at once and in the order of listening. */
export class Signal<T> {
  readonly #listeners: ((what: T) => void)[] = [];

  on(listener: (what: T) => void): void {
    this.#listeners.push(listener);
  }

  tell(what: T): void {
    for (const listener of this.#listeners) listener(what);
  }
}
