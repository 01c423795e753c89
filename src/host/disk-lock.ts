/**
 * An exclusive lock without native code, which the kernel gives back when the holder dies, by kill -9 too, and keeps while the holder
 * is merely frozen. (Node has no flock; a file with a process id in it means nothing to another container.)
 *
 *   1. a listening Unix socket in Linux's abstract namespace, named after the lock file's device and folder inode: bind is atomic, so
 *      among processes of one network namespace exactly one goes on;
 *   2. a listening Unix socket at the lock's path. A connection to it succeeds while the holder lives, from any container on the
 *      host that mounts the folder (a pod that was deleted by force may still run beside its successor).
 *
 * Elsewhere than on Linux, step 2 stands alone. Where the file system takes no sockets, step 1 does.
 */
import { randomBytes } from "node:crypto";
import * as fs from "node:fs";
import * as net from "node:net";
import * as path from "node:path";
import { errorCode } from "./disk-fault.js";

export interface HeldLock {
  /** Synchronous: a halt must have let go when it returns. */
  release(): void;
}

const TRIES = 5; // each one lost to somebody who took or left the lock at the same moment
const NO_SOCKETS_HERE = new Set(["EPERM", "ENOTSUP", "EOPNOTSUPP", "ENOSYS", "EINVAL", "EROFS", "EACCES"]);

/** @returns null if somebody has it */
export async function lockFile(file: string): Promise<HeldLock | null> {
  const folder = fs.openSync(path.dirname(file), "r");
  try {
    if (process.platform !== "linux") return await lockByPath(file, file);
    const { dev, ino } = fs.fstatSync(folder);
    const first = await listen(`\0kontiki-lock:${dev}:${ino}:${path.basename(file)}`);
    if (first === null) return null;
    // A socket's path may have 107 characters; through the open folder it is short whatever the data directory is called.
    const second = await lockByPath(file, `/proc/self/fd/${folder}/${path.basename(file)}`).catch((error: unknown) => {
      if (NO_SOCKETS_HERE.has(errorCode(error))) return "unsupported" as const;
      first.close();
      throw error;
    });
    if (second === "unsupported") return { release: () => void first.close() };
    if (second === null) {
      first.close();
      return null;
    }
    return {
      release() {
        second.release();
        first.close();
      },
    };
  } finally {
    fs.closeSync(folder);
  }
}

/** @param short another name of `file` that fits into a socket's address */
async function lockByPath(file: string, short: string): Promise<HeldLock | null> {
  const own = `.${randomBytes(4).toString("hex")}`;
  const server = await listen(short + own);
  if (server === null) throw new Error("the lock's own name is taken");
  try {
    for (let attempt = 0; attempt < TRIES; attempt++) {
      if (link(short + own, short)) {
        fs.unlinkSync(short + own);
        return {
          release() {
            fs.rmSync(file, { force: true });
            server.close();
          },
        };
      }
      if (await answers(short)) break;
      await setAside(short);
    }
  } catch (error) {
    server.close();
    throw error;
  }
  fs.rmSync(short + own, { force: true });
  server.close();
  return null;
}

/** Removes a dead holder's socket. The rename makes sure that what is removed is what was looked at. */
async function setAside(short: string): Promise<void> {
  const aside = `${short}.${randomBytes(4).toString("hex")}`;
  try {
    fs.renameSync(short, aside);
  } catch (error) {
    if (errorCode(error) === "ENOENT") return;
    throw error;
  }
  if (await answers(aside)) link(aside, short); // a living one had come in between: it gets its name back
  fs.rmSync(aside, { force: true });
}

function link(from: string, to: string): boolean {
  try {
    fs.linkSync(from, to);
    return true;
  } catch (error) {
    if (errorCode(error) === "EEXIST") return false;
    throw error;
  }
}

/** Only a refusal says that nobody holds it; a full backlog is a living, frozen holder. */
function answers(address: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ path: address });
    socket.once("connect", () => {
      socket.destroy();
      resolve(true);
    });
    socket.once("error", (error) => resolve(!["ECONNREFUSED", "ENOENT", "ENOTSOCK"].includes(errorCode(error))));
  });
}

function listen(address: string): Promise<net.Server | null> {
  const server = net.createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once("error", (error) => (errorCode(error) === "EADDRINUSE" ? resolve(null) : reject(error)));
    server.listen(address, () => {
      server.unref(); // a lock alone keeps no process alive
      resolve(server);
    });
  });
}
