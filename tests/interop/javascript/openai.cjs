// The package openai, in both dialects: a text turn with a call, its reply, a spoken turn with a call.
const { load, url, key, dialect, Seen, pieces, report } = require("./talk.cjs");
const OpenAI = load("openai");
const { OpenAIRealtimeWS } = load(dialect === "beta" ? "openai/beta/realtime/ws" : "openai/realtime/ws");

const errors = [];
const seen = new Seen();
const turns = { type: "server_vad", silence_duration_ms: 300 };
const tools = ["set_light", "get_time"].map((name) => ({
  type: "function",
  name,
  description: name,
  parameters: { type: "object", properties: {} },
}));
const SESSIONS = {
  beta: {
    modalities: ["text", "audio"],
    tools,
    turn_detection: turns,
    input_audio_transcription: { model: "whisper-1" },
  },
  ga: { type: "realtime", tools, audio: { input: { turn_detection: turns, transcription: { model: "local" } } } },
};

async function main() {
  const client = new (OpenAI.default ?? OpenAI)({ apiKey: key, baseURL: url });
  const socket = new OpenAIRealtimeWS({ model: "gpt-realtime" }, client);
  socket.on("error", (error) => errors.push(error.message));
  socket.on("event", (event) => seen.add(event));
  await seen.next("session.created");
  const updated = seen.next("session.updated");
  socket.send({ type: "session.update", session: SESSIONS[dialect] });
  await updated;

  async function answered(item) {
    const done = seen.next("response.done");
    socket.send({ type: "conversation.item.create", item });
    socket.send({ type: "response.create" });
    return (await done).response.output[0];
  }
  const content = [{ type: "input_text", text: "turn on the kitchen light" }];
  const call = await answered({ type: "message", role: "user", content });
  const reply = await answered({ type: "function_call_output", call_id: call.call_id, output: '"ok"' });

  const heard = seen.next("conversation.item.input_audio_transcription.completed");
  const done = seen.next("response.done");
  for (const piece of pieces(960)) {
    socket.send({ type: "input_audio_buffer.append", audio: piece.toString("base64") });
  }
  const transcript = (await heard).transcript;
  const spoken = (await done).response.output[0];
  report({
    errors,
    transcript,
    calls: [call, spoken].map((one) => [one.name, JSON.parse(one.arguments)]),
    reply: reply.content[0],
    kinds: [...seen.kinds],
  });
}

main();
