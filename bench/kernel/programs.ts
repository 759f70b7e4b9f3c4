/** Programs that run beside this one: they are ended when it is interrupted. */
import { type ChildProcess, type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { closeSync, openSync, readFileSync } from "node:fs";
import { createInterface } from "node:readline";

const running = new Set<ChildProcess>();

/** Ends everything under way. What a program has made in a namespace goes with the namespace. */
export function stopPrograms(): void {
  for (const child of running) child.kill("SIGKILL");
}

/** How long a program ran, and how much of that it had a CPU (it is counted in hundredths of a second). */
export interface Duration {
  readonly milliseconds: number;
  readonly cpuShare: number;
}

/** Runs a program to its end, its standard input from a file. Rejects with what it complained of. */
export async function runProgram(words: readonly string[], input?: string): Promise<Duration> {
  const cpu = childrenSeconds();
  const from = performance.now();
  const file = input === undefined ? undefined : openSync(input, "r");
  const child = spawn(words[0]!, words.slice(1), { stdio: [file ?? "ignore", "ignore", "pipe"] });
  if (file !== undefined) closeSync(file);
  running.add(child);
  let complaint = "";
  child.stderr!.on("data", (data: Buffer) => (complaint += data.toString()));
  return await new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (code, signal) => {
      running.delete(child);
      const milliseconds = performance.now() - from;
      if (code === 0) resolve({ milliseconds, cpuShare: ((childrenSeconds() - cpu) * 1000) / milliseconds });
      else
        reject(new Error(`${words.join(" ")}: ${complaint.trim().slice(0, 500) || (signal ?? `exit code ${code}`)}`));
    });
  });
}

/** CPU time of all programs that were started and have ended: cutime and cstime of proc(5), in ticks of 10 ms. */
function childrenSeconds(): number {
  const fields = readFileSync("/proc/self/stat", "utf8").split(") ")[1]!.split(" ");
  return (Number(fields[13]) + Number(fields[14])) / 100;
}

/** A program that answers lines with lines: the first one, unasked, is "ready PID". */
export class Conversation {
  private readonly waiting: { resolve: (line: string) => void; reject: (error: Error) => void }[] = [];
  private complaint = "";
  private ended = false;
  /** Its process. */
  pid = 0;

  private constructor(private readonly child: ChildProcessWithoutNullStreams) {
    running.add(child);
    child.stderr.on("data", (data: Buffer) => (this.complaint += data.toString()));
    child.stdin.on("error", () => {}); // it has ended: told by "close"
    createInterface(child.stdout).on("line", (line) => this.waiting.shift()?.resolve(line));
    child.on("error", (error) => this.end(error));
    child.on("close", () => this.end(new Error(this.complaint.trim() || `${child.spawnfile} has ended`)));
  }

  static async start(words: readonly string[]): Promise<Conversation> {
    const conversation = new Conversation(spawn(words[0]!, words.slice(1)));
    conversation.pid = Number((await conversation.next()).split(" ")[1]);
    return conversation;
  }

  /** Sends a line; the JSON value of the line that answers it. Rejects where the program ends instead, with what it complained of. */
  async ask(line: string): Promise<unknown> {
    this.child.stdin.write(`${line}\n`);
    return JSON.parse(await this.next());
  }

  /** Ends the program. */
  async stop(): Promise<void> {
    if (this.ended) return;
    const closed = new Promise((resolve) => this.child.once("close", resolve));
    this.child.stdin.end();
    await closed;
  }

  private next(): Promise<string> {
    if (this.ended) return Promise.reject(new Error(this.complaint.trim() || `${this.child.spawnfile} has ended`));
    return new Promise((resolve, reject) => this.waiting.push({ resolve, reject }));
  }

  private end(error: Error): void {
    this.ended = true;
    running.delete(this.child);
    for (const { reject } of this.waiting.splice(0)) reject(error);
  }
}
