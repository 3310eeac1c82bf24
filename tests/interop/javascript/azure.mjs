// Azure's rt-client: it ends at an event that it does not know, and waits for each that it does.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const { modules, url, key, speech, cut, report } = createRequire(import.meta.url)("./talk.cjs");
// what `require` would find there is no module for this node
const { RTClient } = await import(pathToFileURL(`${modules}/node_modules/rt-client/dist/esm/index.js`).href);

const tools = ["set_light", "get_time"].map((name) => ({
  type: "function",
  name,
  description: name,
  parameters: { type: "object", properties: {} },
}));
const client = new RTClient(new URL(url), { key }, { deployment: "gpt-realtime" });

async function taken(response) {
  const found = { status: response.status, calls: [], words: "", bytes: 0 };
  for await (const item of response) {
    if (item.type === "function_call") {
      await item.waitForCompletion();
      found.calls.push([item.functionName, JSON.parse(item.arguments)]);
      found.call = item.callId;
      continue;
    }
    found.item = item.id;
    for await (const part of item) {
      if (part.type === "text") for await (const words of part.textChunks()) found.words += words;
      else {
        const sound = (async () => {
          for await (const chunk of part.audioChunks()) found.bytes += chunk.length;
        })();
        for await (const words of part.transcriptChunks()) found.words += words;
        await sound;
      }
    }
  }
  found.status = response.status;
  return found;
}
const answered = async () => taken(await client.generateResponse());
async function asked(...content) {
  await client.sendItem({ type: "message", role: "user", content });
  return answered();
}

await client.configure({ tools, turn_detection: { type: "none" }, input_audio_transcription: { model: "whisper-1" } });
const call = await asked({ type: "input_text", text: "turn on the kitchen light" });
await client.sendItem({ type: "function_call_output", call_id: call.call, output: '"ok"' });
const reply = await answered();
await client.removeItem(reply.item);
const within = await asked({ type: "input_audio", audio: speech().toString("base64") });

await client.sendAudio(new Uint8Array(speech()));
const heard = await client.commitAudio();
const manual = await answered();
await heard.waitForCompletion();
await client.sendAudio(new Uint8Array(speech()));
await client.commitAudio();
const stopped = await client.generateResponse();
await stopped.cancel();
const cancelled = await taken(stopped);

await client.configure({ modalities: ["text"], turn_detection: { type: "server_vad", silence_duration_ms: 300 } });
let transcript;
const spoken = (async () => {
  for await (const event of client.events()) {
    if (event.type === "response") return taken(event);
    await event.waitForCompletion();
    transcript = event.transcription;
  }
})();
for (const part of cut(Buffer.concat([speech(), Buffer.alloc(48000)]), 960)) await client.sendAudio(new Uint8Array(part));
const { calls } = await spoken;
let refused;
try {
  for (;;) await client.commitAudio(); // the first ones find what was committed before
} catch (error) {
  refused = error.code;
}
report({
  calls: [...call.calls, ...within.calls, ...manual.calls, ...calls],
  reply: [reply.words, reply.bytes > 0],
  manual: heard.transcription,
  cancelled: cancelled.status,
  transcript,
  refused,
});
