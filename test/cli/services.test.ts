import { describe, expect, it } from "vitest";
import { chainwalk, NGINX_LISTING, NGINX_RULES, words } from "./command-line.js";

const services = (rest: string, rules = NGINX_RULES): ReturnType<typeof chainwalk> =>
  chainwalk(words(`services --rules ${rules} ${rest}`));

describe("services", () => {
  it("lists as kubectl does", async () => {
    const { stdout } = await services("");
    expect(stdout.split("\n").map(words)).toEqual([
      ["NAMESPACE", "NAME", "TYPE", "CLUSTER-IP", "EXTERNAL-IP", "PORT(S)", "ENDPOINTS"],
      ["default", "nginx", "ClusterIP", "172.19.0.166", "<none>", "80/TCP", "172.16.2.125:80,172.16.2.229:80"],
      [],
    ]);
  });

  it("describes one as kubectl does, with the exact share of each endpoint", async () => {
    const { stdout } = await services("nginx");
    await expect(stdout).toMatchFileSnapshot("../golden/cli-services-nginx.txt");
    for (const name of ["default/nginx", "nginx:", "default/nginx:"])
      expect((await services(name)).stdout).toBe(stdout);
  });

  it("answers no where there is no such Service", async () => {
    for (const name of ["web", "prod/nginx", "nginx:http"]) {
      const { exitCode, stdout, stderr } = await services(name);
      expect({ name, exitCode, stdout }).toEqual({ name, exitCode: 1, stdout: "" });
      expect(stderr).toContain(`no Service "${name}"`);
    }
    expect(JSON.parse((await services("web --json")).stdout)).toEqual([]);
  });

  it("shows of a listing what it shows: two cluster IPs, a chain that is not there", async () => {
    const { stdout } = await services("", NGINX_LISTING);
    expect(stdout).toContain("172.19.0.166,172.19.15.240");
    expect(stdout).toContain("wrinkled-crocodile-selenium-hub   LoadBalancer   <none>");
  });

  it("gives shares that are exact and sum to one", async () => {
    const { stdout: rules } = await chainwalk(words("generate --services 3 --endpoints 7 --affinity 0.5 --seed 4"));
    const { stdout } = await chainwalk(words("services --rules - --json"), { "-": rules });
    const ports = (JSON.parse(stdout) as { ports: { endpoints: { p: string }[] }[] }[]).flatMap((one) => one.ports);
    expect(ports).toHaveLength(3);
    for (const { endpoints } of ports) {
      const shares = endpoints.map(({ p }) => p.split("/").map(BigInt) as [bigint, bigint]);
      const whole = shares.reduce((product, [, denominator]) => (denominator > product ? denominator : product), 1n);
      expect(shares.reduce((sum, [n, d]) => sum + (n * whole) / d, 0n)).toBe(whole);
      // The first of seven: round(2^31 / 7) = 306783378 of 2^31, reduced.
      expect(endpoints[0]!.p).toBe("153391689/1073741824");
    }
  });
});
