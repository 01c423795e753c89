/** DescribeLogDirs, Kafka protocol key 35. */
import { array, bool, defaults, int16, int32, int64, nullable, request, response, since, string, struct, type Infer } from "../schema.js";

export const DescribeLogDirsRequest = request({ key: 35, versions: [1, 5], flexibleSince: 2 }, {
  topics: nullable(array(struct({
    topic: string(),
    partitions: array(int32()),
  }))),
});
export type DescribeLogDirsRequest = Infer<typeof DescribeLogDirsRequest>;

export const DescribeLogDirsResponse = response({ key: 35, versions: [1, 5], flexibleSince: 2 }, {
  throttleTimeMs: int32(),
  errorCode: since(3, int16()),
  results: array(struct({
    errorCode: int16(),
    logDir: string(),
    topics: array(struct({
      name: string(),
      partitions: array(struct({
        partitionIndex: int32(),
        partitionSize: int64(),
        offsetLag: int64(),
        isFutureKey: bool(),
      })),
    })),
    totalBytes: since(4, defaults(-1n, int64())),
    usableBytes: since(4, defaults(-1n, int64())),
    isCordoned: since(5, bool()),
  })),
});
export type DescribeLogDirsResponse = Infer<typeof DescribeLogDirsResponse>;
