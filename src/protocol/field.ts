/**
 * Fields as they are declared: a kind, the versions that have it, a default. From one declaration come the TypeScript type (`Infer`), what an encoder
 * takes (`Input`, where every field may be left at its default) and the codec (codec.ts).
 */
import { NO_UUID, type Uuid } from "../base/ids.js";

export type Kind =
  | { readonly is: "bool" | "int8" | "int16" | "uint16" | "int32" | "uint32" | "int64" | "float64" | "uuid" | "string" | "bytes" | "records" }
  | { readonly is: "array"; readonly of: AnyField }
  | { readonly is: "struct"; readonly fields: Fields };

/** `T` is what is read, `In` what may be written. Both are known to the compiler only. */
export interface Field<T, In = T> {
  readonly kind: Kind;
  readonly since: number;
  readonly until: number;
  readonly nullSince: number; // Infinity: never null
  readonly tag: number | null;
  readonly taggedSince: number; // the first version that has it in the tagged section
  readonly ignorable: boolean; // a value other than the default may be lost where the version has no such field
  readonly fallback: unknown; // value where it is absent; frozen where it is an object, since all share it
  readonly type?: (read: T, write: In) => void; // phantom
}

export type AnyField = Omit<Field<unknown>, "type">;
export type Fields = { readonly [name: string]: AnyField };

type Read<F> = F extends { readonly type?: (read: infer T, write: never) => void } ? T : never;
type Write<F> = F extends { readonly type?: (read: never, write: infer In) => void } ? In : never;
export type Struct<F> = { readonly [Name in keyof F]: Read<F[Name]> };
export type StructIn<F> = { readonly [Name in keyof F]?: Write<F[Name]> | undefined };

function plain<T, In = T>(kind: Kind, fallback: NoInfer<T>): Field<T, In> {
  return { kind, since: 0, until: Infinity, nullSince: Infinity, tag: null, taggedSince: Infinity, ignorable: false, fallback };
}

export const bool = (): Field<boolean> => plain({ is: "bool" }, false);
export const int8 = (): Field<number> => plain({ is: "int8" }, 0);
export const int16 = (): Field<number> => plain({ is: "int16" }, 0);
export const uint16 = (): Field<number> => plain({ is: "uint16" }, 0);
export const int32 = (): Field<number> => plain({ is: "int32" }, 0);
export const uint32 = (): Field<number> => plain({ is: "uint32" }, 0);
export const int64 = (): Field<bigint> => plain({ is: "int64" }, 0n);
export const float64 = (): Field<number> => plain({ is: "float64" }, 0);
export const uuid = (): Field<Uuid> => plain({ is: "uuid" }, NO_UUID);
export const string = (): Field<string> => plain({ is: "string" }, "");
export const bytes = (): Field<Uint8Array> => plain({ is: "bytes" }, new Uint8Array(0));
/** Record batches: written from one piece or several, without a copy. */
export const records = (): Field<Uint8Array, Uint8Array | readonly Uint8Array[]> => plain({ is: "records" }, new Uint8Array(0));

export function array<T, In>(of: Field<T, In>): Field<readonly T[], readonly In[]> {
  return plain({ is: "array", of: erase(of) }, Object.freeze([]));
}

export function struct<const F extends { readonly [name: string]: unknown }>(fields: F): Field<Struct<F>, StructIn<F>> {
  // Every member is a Field; the compiler's view of it is kept in F, the codec needs only the plain data.
  const kind: Kind = { is: "struct", fields: fields as unknown as Fields };
  return plain(kind, emptyStruct(fields as unknown as Fields) as Struct<F>);
}

export function emptyStruct(fields: Fields): { readonly [name: string]: unknown } {
  return Object.freeze(Object.fromEntries(Object.entries(fields).map(([name, field]) => [name, field.fallback])));
}

export function since<T, In>(version: number, field: Field<T, In>): Field<T, In> {
  return { ...field, since: version };
}

/** Both ends inclusive. */
export function between<T, In>(first: number, last: number, field: Field<T, In>): Field<T, In> {
  return { ...field, since: first, until: last };
}

/** May be null from `version` on; before it, null cannot be written. */
export function nullableSince<T, In>(version: number, field: Field<T, In>): Field<T | null, In | null> {
  return { ...field, nullSince: version } as Field<T | null, In | null>; // the phantom widens
}

export function nullable<T, In>(field: Field<T, In>): Field<T | null, In | null> {
  return nullableSince(0, field);
}

/** In the tagged section (KIP-482), left out while at its default. */
export function tagged<T, In>(tag: number, field: Field<T, In>): Field<T, In> {
  return { ...field, tag, taggedSince: 0 };
}

/** In the tagged section from `version` on, an ordinary field before. */
export function taggedFrom<T, In>(version: number, tag: number, field: Field<T, In>): Field<T, In> {
  return { ...field, tag, taggedSince: version };
}

/**
 * A version without this field drops its value silently. In requests and records a field that is not ignorable must keep its default there: a value
 * that somebody relies on is refused rather than lost. Answers drop both, see schema.ts.
 */
export function ignorable<T, In>(field: Field<T, In>): Field<T, In> {
  return { ...field, ignorable: true };
}

export function defaults<T, In>(value: NoInfer<T>, field: Field<T, In>): Field<T, In> {
  return { ...field, fallback: value };
}

function erase<T, In>(field: Field<T, In>): AnyField {
  return field as unknown as AnyField; // drops the phantom
}

/** Is this the field's default? Missing members of an input struct count as their own defaults. */
export function sameValue(value: unknown, field: AnyField): boolean {
  const { kind, fallback } = field;
  if (value === fallback) return true;
  if (value === null || fallback === null) return false;
  switch (kind.is) {
    case "array":
    case "bytes":
    case "records":
      return (value as ArrayLike<unknown>).length === 0 && (fallback as ArrayLike<unknown>).length === 0; // no default list has members
    case "struct":
      return Object.entries(kind.fields).every(([name, inner]) => {
        const given = (value as { readonly [name: string]: unknown })[name]; // a struct's value
        return given === undefined || sameValue(given, inner);
      });
    default:
      return false;
  }
}
