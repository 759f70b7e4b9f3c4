/** What `npm run profile` looks into: the indexed path at 10,000 services, uniform destinations, for so many seconds. */
import { makeSubject } from "./subjects/subject.js";
import { prepareWalk } from "./subjects/walk.js";

const SECONDS = 4;

const { task } = prepareWalk([makeSubject("indexed", 10_000, 5, 1)], "uniform");
let sink = 0;
let batches = 0;
for (const until = performance.now() + SECONDS * 1000; performance.now() < until; batches++) sink += task.run();
process.stderr.write(`${batches * task.operations} packets classified (checksum ${sink >>> 0})\n`);
