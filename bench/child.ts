/** A measuring process: does one plan, given as JSON in its only argument, and prints a ProcessOutput. */
import { MEASUREMENT_SCHEMA } from "../src/index.js";
import type { ProcessPlan } from "./plan.js";
import type { ProcessOutput, Scratch } from "./processes.js";
import { carryOut } from "./subjects/index.js";
import { readSink } from "./task.js";

const { plan, scratch } = JSON.parse(process.argv[2]!) as { plan: ProcessPlan; scratch: Scratch };
const result = await carryOut(plan, scratch);
const output: ProcessOutput = { schema: MEASUREMENT_SCHEMA, ...result, sink: readSink() };
process.stdout.write(JSON.stringify(output));
