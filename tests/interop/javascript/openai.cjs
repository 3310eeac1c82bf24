// The package openai, in both dialects, over the package ws or over a browser's socket: turns, calls, and mistakes.
const { load, url, key, dialect, socket, Seen, speech, thin, muLaw, cut, pieces, report } = require("./talk.cjs");
const OpenAI = load("openai");
const home = dialect === "beta" ? "openai/beta/realtime" : "openai/realtime";
const Socket = socket === "ws" ? load(`${home}/ws`).OpenAIRealtimeWS : load(`${home}/websocket`).OpenAIRealtimeWebSocket;

const errors = [];
const turns = { type: "server_vad", silence_duration_ms: 300 };
const tools = ["set_light", "get_time"].map((name) => ({
  type: "function",
  name,
  description: name,
  parameters: { type: "object", properties: {} },
}));

function session(turn_detection, isThin) {
  if (dialect === "beta") {
    const format = isThin ? "g711_ulaw" : "pcm16";
    return {
      modalities: ["text", "audio"],
      tools,
      turn_detection,
      input_audio_transcription: { model: "whisper-1" },
      input_audio_format: format,
      output_audio_format: format,
    };
  }
  const format = isThin ? { type: "audio/pcmu" } : { type: "audio/pcm", rate: 24000 };
  const input = { turn_detection, transcription: { model: "local" }, format };
  return { type: "realtime", tools, audio: { input, output: { format } } };
}

async function opened() {
  const seen = new Seen();
  const client = new (OpenAI.default ?? OpenAI)({ apiKey: key, baseURL: url, dangerouslyAllowBrowser: true });
  const connection = new Socket({ model: "gpt-realtime", dangerouslyAllowBrowser: true }, client);
  connection.on("error", (error) => errors.push(error.error?.code ?? error.message));
  connection.on("event", (event) => seen.add(event));
  await seen.next("session.created");
  return { connection, seen };
}

async function main() {
  const { connection, seen } = await opened();

  async function told(event, kind) {
    const answer = seen.next(kind);
    connection.send(event);
    return answer;
  }
  function hear(parts) {
    for (const part of parts) connection.send({ type: "input_audio_buffer.append", audio: part.toString("base64") });
  }
  async function answered(item) {
    connection.send({ type: "conversation.item.create", item });
    return (await told({ type: "response.create" }, "response.done")).response.output[0];
  }
  async function committed(parts) {
    const heard = seen.next("conversation.item.input_audio_transcription.completed");
    hear(parts);
    connection.send({ type: "input_audio_buffer.commit" });
    const done = await told({ type: "response.create" }, "response.done");
    return [(await heard).transcript, done.response.output[0].name];
  }
  const configure = (...wanted) => told({ type: "session.update", session: session(...wanted) }, "session.updated");

  await configure(turns);
  const content = [{ type: "input_text", text: "turn on the kitchen light" }];
  const call = await answered({ type: "message", role: "user", content });
  const reply = await answered({ type: "function_call_output", call_id: call.call_id, output: '"ok"' });

  const heard = seen.next("conversation.item.input_audio_transcription.completed");
  const began = seen.next("input_audio_buffer.speech_started");
  const done = seen.next("response.done");
  hear(pieces(960));
  await began;
  const cutShort = { type: "conversation.item.truncate", item_id: reply.id, content_index: 0, audio_end_ms: 100 };
  await told(cutShort, "conversation.item.truncated");
  const transcript = (await heard).transcript;
  const spoken = (await done).response.output[0];

  await configure(null);
  const manual = await committed(cut(speech(), 4800));
  hear(cut(speech(), 4800));
  connection.send({ type: "input_audio_buffer.commit" });
  connection.send({ type: "response.create" });
  const cancelled = (await told({ type: "response.cancel" }, "response.done")).response.status;
  await configure(null, true);
  const telephone = await committed(cut(thin(muLaw), 160));

  const mistakes = [{ type: "response.cancel" }, { type: "input_audio_buffer.commit" }, { type: "nonsense" }];
  for (const mistake of mistakes) await told(mistake, "error");
  connection.close();
  const again = await opened();
  again.connection.close();
  report({
    errors,
    transcript,
    manual,
    telephone,
    cancelled,
    calls: [call, spoken].map((one) => [one.name, JSON.parse(one.arguments)]),
    reply: reply.content[0],
    kinds: [...seen.kinds],
  });
}

main();
