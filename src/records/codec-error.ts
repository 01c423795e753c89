export class CodecError extends Error {
  override readonly name = "CodecError";
  constructor(readonly code: "corrupt" | "too-large" | "unknown", detail: string, options?: { cause?: unknown }) {
    super(detail, options);
  }
}
