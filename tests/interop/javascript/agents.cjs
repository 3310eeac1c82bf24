// @openai/agents-realtime: a text turn with a call, a reply that a spoken turn interrupts, another call.
const { load, url, key, Seen, pieces, report } = require("./talk.cjs");
const { RealtimeAgent, RealtimeSession, tool } = load("@openai/agents-realtime");

const calls = [];
const errors = [];
const seen = new Seen();

function offered(name, output) {
  return tool({
    name,
    description: name,
    strict: false,
    parameters: { type: "object", properties: {}, required: [], additionalProperties: true },
    execute: async (given) => {
      calls.push([name, given]);
      return output;
    },
  });
}

async function main() {
  const tools = [
    offered("set_light", JSON.stringify({ error: "the lamp is far too hot ".repeat(6) })),
    offered("get_time", "noon"),
  ];
  const agent = new RealtimeAgent({ name: "house", instructions: "Be brief.", tools });
  const config = { audio: { input: { transcription: { model: "local" } } } };
  const session = new RealtimeSession(agent, { transport: "websocket", model: "gpt-realtime", config });
  let interruptions = 0;
  session.on("error", (event) => errors.push(String(event.error?.message ?? JSON.stringify(event.error))));
  session.on("audio_interrupted", () => (interruptions += 1));
  session.on("transport_event", (event) => seen.add(event));
  await session.connect({ apiKey: key, url });

  const replied = seen.next("response.output_audio.done");
  session.sendMessage("turn on the kitchen light");
  await replied;
  const heard = seen.next("conversation.item.input_audio_transcription.completed");
  const truncated = seen.next("conversation.item.truncated");
  const again = seen.next("response.output_audio.done");
  for (const piece of pieces(1920)) {
    session.sendAudio(piece.buffer.slice(piece.byteOffset, piece.byteOffset + piece.length));
  }
  const transcript = (await heard).transcript;
  await truncated;
  await again;
  report({ calls, errors, interruptions, transcript });
}

main();
