/** The look of the page, on a screen and on paper. Outcomes are told apart by their words first, by colour second. */
export const STYLE = `
body { font: 16px/1.5 system-ui, sans-serif; color: #1a1a1a; background: #fff; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; }
h1, h2, h3 { line-height: 1.2; }
h2 { margin-top: 3rem; padding-top: 0.5rem; border-top: 2px solid #1a1a1a; }
h3 { margin: 2rem 0 0.5rem; font-size: 1.05rem; }
nav a { margin-right: 1rem; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: 0.85rem; font-variant-numeric: tabular-nums; }
th, td { padding: 0.2rem 0.6rem; border-bottom: 1px solid #ccc; vertical-align: bottom; }
td { white-space: nowrap; }
table.words td { white-space: normal; vertical-align: top; overflow-wrap: anywhere; }
table.words td.right { white-space: nowrap; }
.wide + .wide { margin-top: 1rem; }
.left { text-align: left; }
.right { text-align: right; }
figure { margin: 1.5rem 0; }
figure img { max-width: 100%; height: auto; }
figcaption { font-size: 0.85rem; color: #444; }
pre, code { font: 0.85rem/1.4 ui-monospace, monospace; }
pre { background: #f2f2f2; padding: 0.6rem; overflow-x: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.pass { color: #00694d; }
.miss { color: #a33b00; }
@media print { body { max-width: none; } figure, tr { break-inside: avoid; } .wide { overflow: visible; } }
`;
