/** Lines for people; the program never reads them. Fields hold facts, never a secret. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
  /** A logger that adds these fields to each line. */
  with(fields: LogFields): Logger;
}

export type LogFields = { readonly [name: string]: unknown };
