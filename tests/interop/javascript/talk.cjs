// What both judges share: they are loaded from the folder of VOICE_NODE_JS_MODULES, and report in one line of JSON.
const { createRequire } = require("node:module");
const { readFileSync } = require("node:fs");

const load = createRequire(process.env.VOICE_NODE_JS_MODULES + "/");
const [, , url, key, sound, dialect] = process.argv;
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

function pieces(bytesOfOne) {
  const pcm = Buffer.concat([readFileSync(sound), Buffer.alloc(96000)]);
  const found = [];
  for (let at = 0; at < pcm.length; at += bytesOfOne) found.push(pcm.subarray(at, at + bytesOfOne));
  return found;
}

function report(found) {
  console.log(JSON.stringify(found));
  process.exit(0);
}

setTimeout(() => process.exit(3), DEADLINE_MS).unref();
module.exports = { load, url, key, dialect, Seen, pieces, report };
