import { expect, it } from "vitest";
import { chainwalk, words } from "../cli/command-line.js";

it("power: endpoints that share the chain of their draw (nftables mode of v1.36) are not taken for one", async () => {
  const choices = async (version: string): Promise<unknown> => {
    const { stdout: rules } = await chainwalk(
      words(`generate --services 3 --endpoints 3 --seed 1 --mode nftables --kube-proxy-version ${version}`),
    );
    const { stdout } = await chainwalk(words("power --rules - --json"), { "-": rules });
    return (JSON.parse(stdout) as { choices: unknown }).choices;
  };
  const newest = await choices("v1.36.0");
  expect(newest).toMatchObject([{ endpoints: 3 }, { endpoints: 3 }, { endpoints: 3 }]);
  expect(newest).toEqual(await choices("v1.30.3"));
});
