/** How a disk comes to a cluster, and how it is opened from then on: the awaited half of founding.ts. */
import type { NodeId } from "../base/ids.js";
import type { World } from "../world/world.js";
import type { Restored } from "./core/state.js";
import { openIdentity, writeIdentity, type Identity } from "./identity.js";
import { encodeMembership } from "./members.js";
import { RaftStore, setFolderAside, VoteLost, writeFirstVote } from "./store.js";
import type { Membership } from "./types.js";

export interface Opened {
  readonly identity: Identity;
  readonly store: RaftStore;
  readonly restored: Restored;
}

export interface Place {
  readonly directory: string;
  readonly nodeId: NodeId;
  readonly segmentBytes: number;
}

/** @returns only who the disk is, where it belongs to no cluster yet. @throws IdentityError */
export async function openDisk(world: World, place: Place): Promise<Opened | { readonly identity: Identity; readonly store: null }> {
  const identity = await openIdentity(world, place.directory, place.nodeId);
  const folder = `${place.directory}/log`;
  if (identity.clusterId !== "") return openLog(world, place, identity);
  if (await world.disk.exists(folder)) {
    // A founding that was cut short promised nothing to anybody; or meta.properties was taken away, and then it is not ours to judge.
    const aside = await setFolderAside(world, folder);
    world.logger.warn({ folder: aside }, "a log without a cluster id was set aside");
  }
  return { identity, store: null };
}

async function openLog(world: World, place: Place, identity: Identity): Promise<Opened> {
  const options = { folder: `${place.directory}/log`, segmentBytes: place.segmentBytes, used: true };
  try {
    return { identity, ...(await RaftStore.open(world, options)) };
  } catch (error) {
    if (!(error instanceof VoteLost)) throw error;
    // Its votes are forgotten, so under its old name it could vote twice: it comes back as a new member.
    const renamed = { ...identity, directoryId: world.random.uuid() };
    await writeIdentity(world, place.directory, renamed);
    const aside = (await world.disk.exists(options.folder)) ? await setFolderAside(world, options.folder) : null;
    world.logger.error({ problem: error.message, aside, directory: identity.directoryId, now: renamed.directoryId }, "this disk cannot vote under its old name: it comes back as a new member");
    await writeFirstVote(world, options.folder, { term: 0, votedFor: null });
    return { identity: renamed, ...(await RaftStore.open(world, options)) };
  }
}

/**
 * The disk belongs to this cluster from now on. The founder's log begins with the first members, in term 1.
 * The cluster id is written last: before that a restart begins anew.
 */
export async function adoptCluster(world: World, place: Place, identity: Identity, clusterId: string, founders: Membership | null): Promise<Opened> {
  const folder = `${place.directory}/log`;
  await writeFirstVote(world, folder, { term: founders === null ? 0 : 1, votedFor: null });
  if (founders !== null) {
    const { store } = await RaftStore.open(world, { folder, segmentBytes: place.segmentBytes, used: true });
    await store.write([{ do: "append", entries: [{ index: 1, term: 1, kind: "members", payload: encodeMembership(founders) }] }]);
    store.close();
  }
  const adopted = { ...identity, clusterId };
  await writeIdentity(world, place.directory, adopted);
  return openLog(world, place, adopted);
}
