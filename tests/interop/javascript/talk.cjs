// What all judges share: their packages come from the folder of VOICE_NODE_JS_MODULES; they report in one line of JSON.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");

const modules = process.env.VOICE_NODE_JS_MODULES;
const load = createRequire(modules + "/");
const [, , url, key, sound, dialect, socket] = process.argv;
const DEADLINE_MS = 60000;

class Seen {
  constructor() {
    this.kinds = new Set();
    this.waiting = [];
  }

  add(event) {
    this.kinds.add(event.type);
    const [met, others] = [[], []];
    for (const waiter of this.waiting) (waiter.kind === event.type ? met : others).push(waiter);
    this.waiting = others;
    for (const waiter of met) waiter.resolve(event);
  }

  next(kind) {
    return new Promise((resolve) => this.waiting.push({ kind, resolve }));
  }
}

function speech() {
  return readFileSync(sound);
}

// Linear sound at 24 kHz as A-law or mu-law at 8 kHz: every third sample is enough for speech that espeak-ng makes.
function thin(law) {
  const pcm = speech();
  const bytes = Buffer.alloc(Math.floor(pcm.length / 6));
  for (let at = 0; at < bytes.length; at += 1) bytes[at] = law(pcm.readInt16LE(at * 6));
  return bytes;
}

function muLaw(sample) {
  const sign = sample < 0 ? 0x80 : 0;
  const size = Math.min(Math.abs(sample), 32635) + 132;
  const exponent = Math.floor(Math.log2(size)) - 7;
  return ~(sign | (exponent << 4) | ((size >> (exponent + 3)) & 15)) & 255;
}

function cut(bytes, bytesOfOne) {
  const found = [];
  for (let at = 0; at < bytes.length; at += bytesOfOne) found.push(bytes.subarray(at, at + bytesOfOne));
  return found;
}

function pieces(bytesOfOne) {
  return cut(Buffer.concat([speech(), Buffer.alloc(96000)]), bytesOfOne);
}

async function until(holds) {
  while (!holds()) await new Promise((resolve) => setTimeout(resolve, 5));
}

function report(found) {
  console.log(JSON.stringify(found));
  process.exit(0);
}

setTimeout(() => process.exit(3), DEADLINE_MS).unref();
module.exports = { modules, load, url, key, dialect, socket, Seen, speech, thin, muLaw, cut, pieces, until, report };
