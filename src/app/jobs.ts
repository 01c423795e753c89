/** Work that leaves the broker's thread. A worker thread loads this module; an in-process cluster calls the same table. */
import type { JobTable } from "../host/offload.js";
import { VALIDATE_JOB, validateJob } from "../records/validate-job.js";

export const jobs: JobTable = { [VALIDATE_JOB]: validateJob };
