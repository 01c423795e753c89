/** What holds in every image that was ever decided (reliability.md M4-M8 as far as one image shows them). Called by tests and by the simulator. */
import { assert } from "../base/assert.js";
import type { ClusterImage } from "./cluster-image.js";

/** @param settled false where a controller may have died while it moved the leaders of a fenced broker, block by block */
export function checkImage(image: ClusterImage, settled = true): void {
  let partitions = 0;
  const names = new Set<string>();
  for (const topic of image.topics()) {
    assert(!names.has(topic.name), "one live topic has a name");
    names.add(topic.name);
    assert(image.topicById(topic.id) === topic, "a topic is found by its id as by its name");
    partitions += topic.partitionCount;
    for (let index = 0; index < topic.partitionCount; index++) {
      const p = topic.existing(index);
      const where = `${topic.name}-${index}: `;
      assert(p.replicas.length > 0, `${where}a partition has replicas`);
      assert(new Set(p.replicas).size === p.replicas.length, `${where}a broker holds one replica of a partition`);
      assert(p.isr.every((id) => p.replicas.includes(id)), `${where}the ISR are replicas`);
      assert(p.elr.every((id) => p.replicas.includes(id) && !p.isr.includes(id)), `${where}the ELR are replicas outside the ISR`);
      assert(p.leaderEpoch >= 0 && p.partitionEpoch >= 0, `${where}epochs begin at 0`);
      if (p.leader !== null) {
        assert(p.isr.includes(p.leader), `${where}the leader is in the ISR (M5)`);
        const leader = image.broker(p.leader);
        assert(leader !== null && !(settled && leader.fenced), `${where}the leader is registered and not fenced (M6)`);
        assert(p.lastKnownElr.length === 0, `${where}last known members are kept only while nobody is eligible`);
      }
      if (p.isr.length > 1 && settled) {
        for (const id of p.isr) assert(image.broker(id)?.fenced === false, `${where}a fenced broker is in the ISR only as its last member`);
      }
      if (p.lastKnownElr.length > 0) assert(p.isr.length === 0 && p.elr.length === 0, `${where}last known members stand in for an empty ISR and ELR`);
    }
  }
  assert(partitions === image.partitionCount, "the count of partitions is the sum over topics");
}
