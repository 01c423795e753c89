/**
 * An exclusive lock without native code: a Unix socket in Linux's abstract namespace, named after the file. The kernel frees it when
 * the holder dies, by kill -9 too. Elsewhere a lock file names the holder's process, and a dead holder's file is taken over.
 */
import { createHash } from "node:crypto";
import * as fs from "node:fs";
import * as net from "node:net";

export interface HeldLock {
  releaseNow(): void;
}

export async function lockFile(file: string): Promise<HeldLock | null> {
  fs.writeFileSync(file, "", { flag: "a" }); // shows people that the folder is meant to be locked
  const name = fs.realpathSync(file);
  return process.platform === "linux" ? lockAbstract(name) : lockByProcess(name);
}

function lockAbstract(name: string): Promise<HeldLock | null> {
  const address = `\0kontiki-${createHash("sha256").update(name).digest("hex")}`;
  const server = net.createServer((socket) => socket.destroy());
  return new Promise((resolve, reject) => {
    server.once("error", (error: NodeJS.ErrnoException) => (error.code === "EADDRINUSE" ? resolve(null) : reject(error)));
    server.listen(address, () => {
      server.unref();
      resolve({ releaseNow: () => void server.close() });
    });
  });
}

function lockByProcess(name: string): HeldLock | null {
  const holder = `${name}.pid`;
  for (let attempt = 0; attempt < 2; attempt++) {
    try {
      fs.writeFileSync(holder, String(process.pid), { flag: "wx" });
      return { releaseNow: () => fs.rmSync(holder, { force: true }) };
    } catch {
      const pid = Number(fs.readFileSync(holder, "utf8"));
      if (isAlive(pid)) return null;
      fs.rmSync(holder, { force: true });
    }
  }
  return null;
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}
