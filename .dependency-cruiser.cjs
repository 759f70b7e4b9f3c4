// A room may import only the rooms that stand above it in this list; no circles anywhere.
const rooms = ["packet", "ruleset", "syntax", "kube", "engine", "translate", "lint", "conntrack", "datapath", "traffic", "stats", "report", "cli"];

const forbidden = [{ name: "no-circles", severity: "error", from: {}, to: { circular: true } }];
rooms.forEach((room, at) => {
  const below = rooms.slice(at + 1);
  if (below.length > 0)
    forbidden.push({
      name: `${room}-imports-only-rooms-above`,
      severity: "error",
      from: { path: `^src/${room}/` },
      to: { path: `^src/(${below.join("|")})/` },
    });
});
forbidden.push(
  { name: "rooms-do-not-import-the-index", severity: "error", from: { path: "^src/(?!cli/)" , pathNot: "^src/index\\.ts$" }, to: { path: "^src/index\\.ts$" } },
  { name: "stats-knows-no-packet", severity: "error", from: { path: "^src/stats/" }, to: { path: "^src/(?!stats/)" } },
  { name: "report-draws-only-measurements", severity: "error", from: { path: "^src/report/" }, to: { path: "^src/(?!report/|stats/)" } },
  { name: "bench-imports-the-public-surface", severity: "error", from: { path: "^bench/" }, to: { path: "^src/(?!index\\.ts$)" } },
  { name: "src-does-not-import-bench-or-test", severity: "error", from: { path: "^src/" }, to: { path: "^(bench|test)/" } },
);

module.exports = {
  forbidden,
  options: { tsConfig: { fileName: "tsconfig.json" }, tsPreCompilationDeps: true, doNotFollow: { path: "node_modules" } },
};
