/** Which segments a log no longer has to keep. Pure. */

export interface SegmentFacts {
  readonly base: number;
  /** Offset after its last batch; of a closed segment the base of the next. */
  readonly next: number;
  readonly bytes: number;
  /** Largest timestamp in it, -1 where no record has one. */
  readonly maxTimestampMs: number;
}

export interface RetentionRule {
  readonly retentionMs: number; // -1: for ever
  readonly retentionBytes: number; // -1: no bound
  readonly start: number;
  readonly nowMs: number;
  /** Nothing at or above it goes: the high watermark. */
  readonly upTo: number;
}

/**
 * How many of the oldest segments go. All of them means that the active one has to be rolled first. As in Kafka a segment goes by time
 * when its largest timestamp is too old, and by size only as long as what remains still reaches `retentionBytes`.
 */
export function expiredSegments(segments: readonly SegmentFacts[], rule: RetentionRule): number {
  let excess = rule.retentionBytes < 0 ? -1 : segments.reduce((sum, segment) => sum + segment.bytes, 0) - rule.retentionBytes;
  let count = 0;
  for (const segment of segments) {
    if (segment.next > rule.upTo || (segment.bytes === 0 && count === segments.length - 1)) break;
    const tooOld = rule.retentionMs >= 0 && segment.maxTimestampMs >= 0 && rule.nowMs - segment.maxTimestampMs > rule.retentionMs;
    const tooMuch = excess >= segment.bytes && excess >= 0 && count < segments.length - 1;
    const belowStart = segment.next <= rule.start && count < segments.length - 1;
    if (!tooOld && !tooMuch && !belowStart) break;
    excess -= segment.bytes;
    count++;
  }
  return count;
}
