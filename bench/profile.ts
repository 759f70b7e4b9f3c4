/** `npm run profile`: a flame graph of the indexed path by clinic, which is installed at first use in a folder of its own. */
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { packageRoot } from "./environment.js";

const folder = join(packageRoot(), "bench", "profile");
const output = join(folder, "output");

/** Thrown with what the user should read; the exit code is 1. */
class ProfileError extends Error {}

/** Installs clinic (694 packages) where it is not there yet. */
function installClinic(): string {
  const clinic = join(folder, "node_modules", "clinic", "bin.js");
  if (existsSync(clinic)) return clinic;
  process.stderr.write("Installing clinic into bench/profile (694 packages, once)...\n");
  const { status, error } = spawnSync("npm", ["ci", "--no-audit", "--no-fund"], {
    cwd: folder,
    stdio: ["ignore", process.stderr, process.stderr],
    shell: process.platform === "win32",
  });
  if (error !== undefined || status !== 0 || !existsSync(clinic))
    throw new ProfileError(
      `clinic could not be installed (npm ci in ${folder} ${error?.message ?? `ended with exit code ${status}`}); ` +
        "without it: node --cpu-prof dist/bench/profile-target.js",
    );
  return clinic;
}

/** Runs clinic and gives the path of the flame graph. */
function drawFlames(clinic: string): string {
  mkdirSync(output, { recursive: true });
  const before = new Set(readdirSync(output));
  const target = fileURLToPath(new URL("./profile-target.js", import.meta.url));
  const words = [clinic, "flame", "--open=false", "--dest", output, "--", process.execPath, target];
  // Without a terminal clinic asks about telemetry, and then ends with exit code 0 and without output.
  const env = { ...process.env, NO_INSIGHT: "1" };
  const { status, error } = spawnSync(process.execPath, words, {
    cwd: folder,
    env,
    stdio: ["ignore", process.stderr, process.stderr],
  });
  if (error !== undefined || status !== 0)
    throw new ProfileError(`clinic flame ${error?.message ?? `ended with exit code ${status}`}`);
  const pages = readdirSync(output).filter((name) => name.endsWith(".html") && !before.has(name));
  const page = pages.map((name) => join(output, name)).find((path) => statSync(path).size > 0);
  if (page === undefined)
    throw new ProfileError(`clinic ended without an error, but wrote no flame graph to ${output}`);
  return page;
}

try {
  const page = drawFlames(installClinic());
  process.stdout.write(`Flame graph: ${page} (${Math.round(statSync(page).size / 1024)} kB)\n`);
} catch (error) {
  if (!(error instanceof ProfileError)) throw error;
  process.stderr.write(`profile: ${error.message}\n`);
  process.exitCode = 1;
}
