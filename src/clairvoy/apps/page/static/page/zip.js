// A ZIP file of files as they are: pictures are packed already (APPNOTE.TXT of PKWARE; ZIP64 where the old numbers end).

import { crc } from "../imaging/crc.js";

const VERSION = 45, UTF8 = 0x0800, STORED = 0;
const DATE = 0x0021; // 1980-01-01: the format has no "unknown"
const MOST = { count: 0xffff, bytes: 0xffffffff };

/** A Blob of [{name, blob}]; names with slashes. Each file is less than 4 GB. */
export async function zipOf(files) {
  const parts = [], directory = [];
  let at = 0;
  for (const { name, blob } of files) {
    const entry = { name: new TextEncoder().encode(name), sum: await crcOf(blob), size: blob.size, at };
    const head = localHead(entry);
    parts.push(head, blob);
    directory.push(directoryEntry(entry));
    at += head.length + blob.size;
  }
  return new Blob([...parts, ...directory, ...endOf(files.length, at, total(directory))], { type: "application/zip" });
}

async function crcOf(blob) {
  let sum = 0;
  const reader = blob.stream().getReader();
  for (let piece; !(piece = await reader.read()).done; ) sum = crc(piece.value, sum);
  return sum;
}

function localHead({ name, sum, size }) {
  return record(["PK\x03\x04", [2, VERSION], [2, UTF8], [2, STORED], [2, 0], [2, DATE], [4, sum], [4, size], [4, size],
    [2, name.length], [2, 0]], name);
}

export function directoryEntry({ name, sum, size, at }) {
  const far = at >= MOST.bytes;
  const extra = far ? record([[2, 1], [2, 8], [8, at]]) : new Uint8Array(0); // 1: ZIP64
  return record(["PK\x01\x02", [2, VERSION], [2, VERSION], [2, UTF8], [2, STORED], [2, 0], [2, DATE], [4, sum], [4, size],
    [4, size], [2, name.length], [2, extra.length], [2, 0], [2, 0], [2, 0], [4, 0], [4, far ? MOST.bytes : at]], name, extra);
}

/** What follows the directory, which begins `at` and is `length` bytes long. */
export function endOf(count, at, length) {
  const old = record(["PK\x05\x06", [2, 0], [2, 0], [2, Math.min(count, MOST.count)], [2, Math.min(count, MOST.count)],
    [4, Math.min(length, MOST.bytes)], [4, Math.min(at, MOST.bytes)], [2, 0]]);
  if (count < MOST.count && at < MOST.bytes && length < MOST.bytes) return [old];
  const end = record(["PK\x06\x06", [8, 44], [2, VERSION], [2, VERSION], [4, 0], [4, 0], [8, count], [8, count], [8, length], [8, at]]);
  const locator = record(["PK\x06\x07", [4, 0], [8, at + length], [4, 1]]);
  return [end, locator, old];
}

/** Fields one after another, least byte first: a signature, or [bytes, value]; then blocks of bytes. */
function record(fields, ...blocks) {
  const bytes = fields.flatMap((field) => {
    if (typeof field === "string") return [...field].map((letter) => letter.charCodeAt(0));
    const [length, value] = field;
    return Array.from({ length }, (_, i) => Math.floor(value / 256 ** i) % 256);
  });
  const out = new Uint8Array(bytes.length + total(blocks));
  out.set(bytes);
  let to = bytes.length;
  for (const block of blocks) out.set(block, to), (to += block.length);
  return out;
}

const total = (blocks) => blocks.reduce((sum, block) => sum + block.length, 0);
