// The AI SDK with `ai-sdk-ollama`, against the server at argv[2]; prints what came of it as one JSON object.
import { embedMany, generateText, Output, stepCountIs, streamText, tool } from "ai";
import { createOllama } from "ai-sdk-ollama";
import { z } from "zod";

const [baseURL, chatModel, embeddingModel] = process.argv.slice(2);
const ollama = createOllama({ baseURL });
const model = ollama(chatModel);
const tools = {
  get_weather: tool({
    description: "The weather of a city",
    inputSchema: z.object({ city: z.string() }),
    execute: async ({ city }) => `sunny in ${city}`,
  }),
};

async function streamed() {
  const { textStream } = streamText({ model, prompt: "Hi" });
  let text = "";
  for await (const part of textStream) text += part;
  return text;
}

async function toolLoop() {
  const { text, steps } = await generateText({
    model,
    tools,
    prompt: "How is the weather in Paris?",
    stopWhen: stepCountIs(3),
  });
  return { text, calls: steps.flatMap((step) => step.toolCalls.map(({ toolName, input }) => ({ toolName, input }))) };
}

async function aborted() {
  const controller = new AbortController();
  const { textStream } = streamText({ model, prompt: "Never stop.", abortSignal: controller.signal, onError: () => {} });
  let parts = 0;
  try {
    for await (const part of textStream) if (++parts === 3) controller.abort();
  } catch (error) {
    return { parts, error: error.name };
  }
  return { parts, error: null };
}

const { text } = await generateText({ model, prompt: "Hi" });
const { output } = await generateText({
  model: ollama(chatModel, { structuredOutputs: true }),
  prompt: "Describe a person",
  output: Output.object({ schema: z.object({ name: z.string(), age: z.number() }) }),
});
const { embeddings } = await embedMany({ model: ollama.embedding(embeddingModel), values: ["a", "b"] });
console.log(
  JSON.stringify({ chat: text, streamed: await streamed(), structured: output, toolLoop: await toolLoop(), embeddings, aborted: await aborted() }),
);
