/**
 * Session tokens of replica connections (design §7). The controller draws a secret for each registration and keeps it in the registration's
 * record, so every broker reads it from its image. The token that broker A shows to broker B is a keyed hash of who shows it, in which
 * registration, and to whom: B can check it from its image but cannot show it to C as A's, and it dies with the registration.
 */
import { createHmac, timingSafeEqual } from "node:crypto";
import type { NodeId } from "../base/ids.js";
import type { ClusterImage } from "./cluster-image.js";

export function sessionToken(image: ClusterImage, from: NodeId, to: NodeId): string | null {
  const broker = image.broker(from);
  return broker === null ? null : made(broker.secret, { from, brokerEpoch: broker.epoch, to });
}

/** `to` is the one who checks. False too while the checker's image has not seen that registration: the peer tries again. */
export function checkSessionToken(image: ClusterImage, claim: { readonly from: NodeId; readonly brokerEpoch: bigint; readonly to: NodeId }, token: string): boolean {
  const broker = image.broker(claim.from);
  if (broker === null || broker.epoch !== claim.brokerEpoch) return false;
  const expected = Buffer.from(made(broker.secret, claim));
  const shown = Buffer.from(token);
  return shown.length === expected.length && timingSafeEqual(shown, expected);
}

function made(secret: string, claim: { readonly from: NodeId; readonly brokerEpoch: bigint; readonly to: NodeId }): string {
  return createHmac("sha256", secret).update(`kontiki-replica/1/${claim.from}/${claim.brokerEpoch}/${claim.to}`).digest("base64url");
}
