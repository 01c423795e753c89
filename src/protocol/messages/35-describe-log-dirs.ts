/**
 * DescribeLogDirs, Kafka protocol key 35. What lies in the brokers' log directories.
 *
 *   v1  throttling after the answer (the least that is answered)
 *   v2  flexible
 *   v3  an error for the whole answer
 *   v4  the volume's size (KIP-827)
 *   v5  whether a directory takes no new partitions (KIP-1066)
 */
import { array, bool, defaults, ignorable, int16, int32, int64, nullable, request, response, since, string, struct, type Infer } from "../schema.js";

export const DescribeLogDirsRequest = request({ key: 35, versions: [1, 5], flexibleSince: 2 }, {
  topics: nullable(array(struct({ // null: all
    topic: string(),
    partitions: array(int32()),
  }))),
});
export type DescribeLogDirsRequest = Infer<typeof DescribeLogDirsRequest>;

export const DescribeLogDirsResponse = response({ key: 35, versions: [1, 5], flexibleSince: 2 }, {
  throttleTimeMs: int32(),
  errorCode: ignorable(since(3, int16())),
  results: array(struct({
    errorCode: int16(),
    logDir: string(),
    topics: array(struct({
      name: string(),
      partitions: array(struct({
        partitionIndex: int32(),
        partitionSize: int64(),
        offsetLag: int64(), // behind the high watermark, or behind the replica that it is to replace
        isFutureKey: bool(), // it will replace the replica in another directory
      })),
    })),
    totalBytes: ignorable(since(4, defaults(-1n, int64()))), // -1: unknown
    usableBytes: ignorable(since(4, defaults(-1n, int64()))),
    isCordoned: ignorable(since(5, bool())),
  })),
});
export type DescribeLogDirsResponse = Infer<typeof DescribeLogDirsResponse>;
