/** Text from anywhere, made harmless where it is put: names in a record may hold whatever somebody typed. */

/** Control characters, half characters, and what turns the direction of text around: XML cannot hold them, or should not. */
const UNPRINTABLE = /[^\P{Cc}\t\n\r]|\p{Cs}|[\u202a-\u202e\u2066-\u2069\ufffe\uffff]/gu;

/** Text that any file can hold. */
export function printable(text: string): string {
  return text.replace(UNPRINTABLE, "\ufffd");
}

/** For text and attribute values of HTML, and for XML. */
export function escapeHtml(text: string): string {
  return printable(text)
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replaceAll('"', "&quot;")
    .replaceAll("'", "&#39;");
}

/** For a line of Markdown, cells of tables too. */
export function escapeMarkdown(text: string): string {
  return printable(text)
    .replace(/\s+/g, " ")
    .replace(/[\\`*_[\]|~#]/g, "\\$&")
    .replaceAll("&", "&amp;")
    .replaceAll("<", "&lt;")
    .replaceAll(">", "&gt;")
    .replace(/^([-+]|\d+[.)])(?=\s)/, "\\$1");
}

const LATEX: Readonly<Record<string, string>> = {
  "\\": "\\textbackslash{}",
  "{": "\\{",
  "}": "\\}",
  $: "\\$",
  "&": "\\&",
  "#": "\\#",
  "%": "\\%",
  _: "\\_",
  "^": "\\textasciicircum{}",
  "~": "\\textasciitilde{}",
  "<": "\\textless{}",
  ">": "\\textgreater{}",
  "|": "\\textbar{}",
  '"': "\\textquotedbl{}",
  "±": "$\\pm$",
};

/** For text of LaTeX. */
export function escapeLatex(text: string): string {
  return printable(text)
    .replace(/\s+/g, " ")
    .replace(/[\\{}$&#%_^~<>|"±]/g, (character) => LATEX[character]!)
    .replace(/[^\u0020-\u007e]/g, "?");
}

/** What a spreadsheet takes for the beginning of a formula (OWASP, CSV Injection), in the width of Latin and of CJK letters. */
const FORMULA = /^[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]/;
const NUMBER = /^-?\d+(\.\d+)?$/;

/** For a field of CSV (RFC 4180): a number stays one, a text is never run as a formula, for an apostrophe goes before it. */
export function escapeCsv(field: string): string {
  const text = FORMULA.test(field) && !NUMBER.test(field) ? `'${field}` : field;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
