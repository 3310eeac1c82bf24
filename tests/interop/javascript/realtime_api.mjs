// openai-realtime-api, a fork of OpenAI's reference client of the beta: it calls tools and keeps items by itself.
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const talk = createRequire(import.meta.url)("./talk.cjs");
const { load, url, key, speech, cut, until, report } = talk;
const { RealtimeClient } = await import(pathToFileURL(load.resolve("openai-realtime-api")).href);

const calls = [];
const errors = [];
let interruptions = 0;
const kinds = new Set();
const client = new RealtimeClient({ url, apiKey: key });
client.on("conversation.interrupted", () => (interruptions += 1));
client.realtime.on("server.*", (event) => {
  kinds.add(event.type);
  if (event.type === "error") errors.push(event.error.code);
});
for (const [kind, process] of Object.entries(client.conversation.EventProcessors)) {
  // the package passes over what it cannot place: here it counts
  client.conversation.EventProcessors[kind] = function (...given) {
    try {
      return process.apply(this, given);
    } catch (error) {
      errors.push(`${kind}: ${error.message}`);
      throw error;
    }
  };
}
for (const [name, output] of [["set_light", { error: "the lamp is far too hot ".repeat(6) }], ["get_time", "noon"]]) {
  const definition = { name, description: name, parameters: { type: "object", properties: {} } };
  client.addTool(definition, async (given) => {
    calls.push([name, given]);
    return output;
  });
}

const items = (role) => client.conversation.getItems().filter((item) => item.role === role);
const said = () => items("assistant").filter((item) => item.status === "completed");
const answered = (count) => until(() => said().length === count);
function hear(bytes) {
  for (const part of cut(bytes, 960)) {
    client.appendInputAudio(part.buffer.slice(part.byteOffset, part.byteOffset + part.length));
  }
}

await client.connect();
await client.waitForSessionCreated();
client.sendUserMessageContent([{ type: "input_text", text: "turn on the kitchen light" }]);
await answered(1);
client.sendUserMessageContent([{ type: "input_audio", audio: speech().toString("base64") }]);
await answered(2);
hear(speech());
client.createResponse();
await answered(3);
const manual = items("user").at(-1).formatted.transcript;

client.updateSession({ turn_detection: { type: "server_vad" } });
const last = said().at(-1);
const sound = speech();
hear(sound.subarray(0, 28800));
await until(() => interruptions > 0);
client.cancelResponse(last.id, 2400);
await until(() => kinds.has("conversation.item.truncated"));
hear(Buffer.concat([sound.subarray(28800), Buffer.alloc(96000)]));
await answered(4);
const transcript = items("user").at(-1).formatted.transcript;
const kept = last.formatted.audio.length;

client.disconnect();
await client.connect();
await client.waitForSessionCreated();
client.sendUserMessageContent([{ type: "input_text", text: "turn off the kitchen light" }]);
await answered(1);
report({ calls, errors, interruptions, manual, transcript, kept, kinds: [...kinds] });
