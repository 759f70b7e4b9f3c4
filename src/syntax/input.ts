/** Bytes to text: gzip, UTF-8, and what is refused. */
import { isAscii, isUtf8 } from "node:buffer";
import { gunzipSync } from "node:zlib";
import { error, type Problem } from "../ruleset/problem.js";
import type { Span } from "../ruleset/types.js";

/** Largest text, in bytes after unpacking: what V8 can hold as one string. */
export const MAX_TEXT = 512 * 1024 * 1024 - 32;

/** The text; with it its characters as bytes, where it is ASCII and they are at hand. */
export type DecodedInput = { readonly text: string; readonly codes?: Uint8Array } | { readonly problem: Problem };

/** Unpacks gzip (bytes that begin with 1f 8b), drops a byte order mark, refuses what is not text. */
export function decodeInput(input: Uint8Array | string): DecodedInput {
  if (typeof input === "string") return refuseBinary(input) ?? { text: input };
  let bytes = input;
  if (bytes.length >= 2 && bytes[0] === 0x1f && bytes[1] === 0x8b) {
    try {
      bytes = gunzipSync(bytes, { maxOutputLength: MAX_TEXT });
    } catch (failure) {
      return { problem: unpackProblem(failure as NodeJS.ErrnoException) };
    }
  }
  if (bytes.length > MAX_TEXT) return { problem: tooLarge() };
  const marked = bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf;
  const buffer = Buffer.from(bytes.buffer, bytes.byteOffset + (marked ? 3 : 0), bytes.length - (marked ? 3 : 0));
  if (!isUtf8(buffer)) {
    const nul = buffer.indexOf(0);
    return nul >= 0 ? { problem: binary(buffer.toString("latin1"), nul) } : { problem: notUtf8(buffer) };
  }
  const ascii = isAscii(buffer);
  const text = buffer.toString(ascii ? "latin1" : "utf8");
  return refuseBinary(text) ?? (ascii ? { text, codes: buffer } : { text });
}

function unpackProblem(failure: NodeJS.ErrnoException): Problem {
  if (failure.code === "ERR_BUFFER_TOO_LARGE") return tooLarge();
  return failure.code === "Z_BUF_ERROR"
    ? error("truncated-gzip", "the gzip data ends before its end: the file is truncated", { line: 1, column: 1 })
    : error("bad-gzip", `the gzip data is damaged (${failure.message})`, { line: 1, column: 1 });
}

function tooLarge(): Problem {
  return error("too-large", `the text is larger than ${MAX_TEXT} bytes`);
}

function refuseBinary(text: string): { problem: Problem } | undefined {
  const nul = text.indexOf("\0");
  return nul < 0 ? undefined : { problem: binary(text, nul) };
}

function binary(text: string, at: number): Problem {
  return error("binary", "this is a binary file (it holds a NUL byte): a text of rules is expected", spanAt(text, at));
}

function notUtf8(buffer: Buffer): Problem {
  // The first line that is not UTF-8 by itself holds the place: no character of UTF-8 contains a line feed.
  for (let from = 0, line = 1; from <= buffer.length; line++) {
    let end = buffer.indexOf(10, from);
    if (end < 0) end = buffer.length;
    const bytes = buffer.subarray(from, end);
    if (!isUtf8(bytes)) {
      let low = 0;
      while (low < bytes.length && (isUtf8(bytes.subarray(0, low + 1)) || beginsCharacter(bytes, low))) low++;
      const column =
        bytes
          .subarray(0, low)
          .toString("utf8")
          .replace(/\ufffd$/, "").length + 1;
      return error("not-utf8", "the text is not UTF-8: this byte begins no character", { line, column });
    }
    from = end + 1;
  }
  return error("not-utf8", "the text is not UTF-8");
}

/** Whether the byte belongs to a character that is completed within the next three bytes. */
function beginsCharacter(bytes: Uint8Array, at: number): boolean {
  for (let n = 2; n <= 4; n++) if (at + n <= bytes.length && isUtf8(bytes.subarray(0, at + n))) return true;
  return false;
}

/** Line and column of an offset. */
export function spanAt(text: string, offset: number): Span {
  const before = text.slice(0, offset);
  const line = before.split("\n").length;
  return { line, column: offset - (before.lastIndexOf("\n") + 1) + 1 };
}
