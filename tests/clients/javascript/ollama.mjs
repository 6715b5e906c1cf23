// Everything the npm package `ollama` is used for, against the server at argv[2]; prints what came of it as one JSON object.
import { Ollama } from "ollama";

const [host, chatModel, embeddingModel] = process.argv.slice(2);
const client = new Ollama({ host });
const messages = [{ role: "user", content: "Hi" }];
const weather = {
  type: "function",
  function: {
    name: "get_weather",
    description: "The weather of a city",
    parameters: { type: "object", properties: { city: { type: "string" } }, required: ["city"] },
  },
};
const person = {
  type: "object",
  properties: { name: { type: "string" }, age: { type: "integer" } },
  required: ["name", "age"],
};

async function streamed(request) {
  const parts = [];
  for await (const part of await client.chat({ ...request, stream: true })) parts.push(part);
  return {
    text: parts.map((part) => part.message.content).join(""),
    thinking: parts.map((part) => part.message.thinking ?? "").join(""),
    calls: parts.flatMap((part) => part.message.tool_calls ?? []),
    isDone: parts.at(-1).done,
  };
}

async function toolLoop() {
  const asked = [{ role: "user", content: "How is the weather in Paris?" }];
  const first = await client.chat({ model: chatModel, messages: asked, tools: [weather] });
  const results = first.message.tool_calls.map((call) => ({
    role: "tool",
    tool_name: call.function.name,
    content: `sunny in ${call.function.arguments.city}`,
  }));
  const second = await client.chat({ model: chatModel, messages: [...asked, first.message, ...results], tools: [weather] });
  return { calls: first.message.tool_calls, answer: second.message.content };
}

async function aborted() {
  const stream = await client.chat({
    model: chatModel,
    messages: [{ role: "user", content: "Never stop." }],
    stream: true,
  });
  let parts = 0;
  try {
    for await (const part of stream) if (++parts === 3) stream.abort();
  } catch (error) {
    return { parts, error: error.name };
  }
  return { parts, error: null };
}

async function failure() {
  try {
    await client.chat({ model: "absent", messages });
  } catch (error) {
    return { status: error.status_code, message: error.message };
  }
  return null;
}

const chat = await client.chat({ model: chatModel, messages });
const generated = await client.generate({ model: chatModel, prompt: "Hi" });
const structured = await client.chat({ model: chatModel, messages, format: person });
const embedded = await client.embed({ model: embeddingModel, input: ["a", "b"] });
const result = {
  chat: chat.message.content,
  generated: generated.response,
  streamed: await streamed({ model: chatModel, messages }),
  structured: JSON.parse(structured.message.content),
  toolLoop: await toolLoop(),
  toolStream: await streamed({ model: chatModel, messages, tools: [weather], think: true }),
  embeddings: embedded.embeddings,
  aborted: await aborted(),
  failure: await failure(),
};
console.log(JSON.stringify(result));
