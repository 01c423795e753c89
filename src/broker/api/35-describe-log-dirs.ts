/**
 * DescribeLogDirs, versions 1-5. v3 a top-level error, v4 sizes of the volume, v5 cordoned directories (none here).
 * A folder that was set aside because metadata does not know it is listed under its own name: nothing else would tell that it is there.
 */
import { errorCode } from "../../protocol/errors.js";
import { DescribeLogDirsRequest, DescribeLogDirsResponse } from "../../protocol/messages/35-describe-log-dirs.js";
import { handler } from "../handler.js";

export const describeLogDirs = handler(DescribeLogDirsRequest, DescribeLogDirsResponse, async (services, request) => {
  const wanted = request.topics === null ? null : new Set(request.topics.flatMap((topic) => topic.partitions.map((partition) => `${topic.topic}/${partition}`)));
  const directories = [await services.replicas.describeDirectory()];
  return {
    body: {
      errorCode: errorCode("NONE"),
      results: directories.map((directory) => {
        const byTopic = new Map<string, { partitionIndex: number; partitionSize: bigint; offsetLag: bigint }[]>();
        let total = 0;
        for (const replica of directory.replicas) {
          total += replica.bytes;
          if (wanted !== null && !wanted.has(`${replica.topic}/${replica.partition}`)) continue;
          const list = byTopic.get(replica.topic) ?? [];
          list.push({ partitionIndex: replica.partition, partitionSize: BigInt(replica.bytes), offsetLag: BigInt(replica.lag) });
          byTopic.set(replica.topic, list);
        }
        for (const stray of wanted === null ? directory.strays : []) byTopic.set(stray.name, [{ partitionIndex: 0, partitionSize: BigInt(stray.bytes), offsetLag: 0n }]);
        for (const stray of directory.strays) total += stray.bytes;
        return {
          logDir: directory.path,
          topics: [...byTopic].map(([name, partitions]) => ({ name, partitions })),
          totalBytes: BigInt(directory.freeBytes + total),
          usableBytes: BigInt(directory.freeBytes),
        };
      }),
    },
  };
});
