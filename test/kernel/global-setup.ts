/** Checks that the kernel can be asked at all, compiles port.c, and prints at the end what was compared. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Tally } from "./compare.js";

const tools = [
  "cc",
  "nsenter",
  "ip",
  "sysctl",
  "nft",
  "ipset",
  "iptables-legacy-restore",
  "iptables-nft-restore",
  "ip6tables-legacy-restore",
  "ip6tables-nft-restore",
];

function missing(): string[] {
  if (process.platform !== "linux") return [`this is ${process.platform}; the kernel that judges is Linux`];
  const found: string[] = [];
  if (process.getuid?.() !== 0) found.push("not root: network namespaces and rule sets need it");
  for (const tool of tools)
    if (spawnSync("sh", ["-c", `command -v ${tool}`]).status !== 0) found.push(`${tool} is not installed`);
  if (!existsSync("/dev/net/tun")) found.push("/dev/net/tun is not there: the kernel has no TUN devices");
  return found;
}

const PREFIX = "chainwalk-kernel-";

/** Folders of runs that were killed. Their namespaces went with their processes. */
function removeLeftovers(): void {
  for (const name of readdirSync(tmpdir())) {
    const pid = name.startsWith(PREFIX) ? Number(name.slice(PREFIX.length).split("-")[0]) : NaN;
    if (Number.isInteger(pid) && !existsSync(`/proc/${pid}`)) rmSync(join(tmpdir(), name), { recursive: true });
  }
}

export default function setup(): () => void {
  const problems = missing();
  if (problems.length > 0) {
    const packages = "iptables nftables ipset iproute2 procps util-linux gcc libc6-dev";
    throw new Error(`the kernel cannot be asked:\n  ${problems.join("\n  ")}\n(Debian: apt-get install ${packages})`);
  }
  removeLeftovers();
  const directory = mkdtempSync(join(tmpdir(), `${PREFIX}${process.pid}-`));
  const program = join(directory, "port");
  const source = join(import.meta.dirname, "port.c");
  const compiled = spawnSync("cc", ["-O2", "-Wall", "-o", program, source], { encoding: "utf8" });
  if (compiled.status !== 0) throw new Error(`port.c does not compile:\n${compiled.stderr}`);
  process.env.CHAINWALK_KERNEL_PORT = program;
  process.env.CHAINWALK_KERNEL_TALLY = join(directory, "tally");
  return () => {
    console.log(summary(process.env.CHAINWALK_KERNEL_TALLY!));
    rmSync(directory, { recursive: true });
  };
}

function summary(file: string): string {
  const total: Tally = { rulesets: 0, packets: 0, paths: 0, connections: 0, counters: 0, flows: 0 };
  for (const line of existsSync(file) ? readFileSync(file, "utf8").trim().split("\n") : []) {
    const part = JSON.parse(line) as Tally;
    for (const key of Object.keys(total) as (keyof Tally)[]) total[key] += part[key];
  }
  return `compared with the kernel: ${total.rulesets} rule sets, ${total.packets} packets, ${total.paths} paths, ${total.connections} connections, ${total.counters} counters of rules; ${total.flows} flows counted`;
}
