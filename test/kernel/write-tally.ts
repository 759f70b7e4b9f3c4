/** After each file: adds what it compared to the sum of the run. */
import { appendFileSync } from "node:fs";
import { afterAll } from "vitest";
import { tally } from "./compare.js";

afterAll(() => appendFileSync(process.env.CHAINWALK_KERNEL_TALLY!, `${JSON.stringify(tally)}\n`));
