// Does with OpenAI's JavaScript package what it is told: a call on each line of the input, what came of it on each line
// of the output. {"call": "responses.create", "args": [...]} is answered with {"value": ...} or {"error": ..., "message"}.
// An answer that streams is read to its end, as the list of what it said.
const readline = require("readline");
const { createRequire } = require("module");

const { OpenAI } = createRequire(process.env.SDK_HOME + "/")("openai");
const client = new OpenAI({ maxRetries: 0 });

async function called({ call, args }) {
  const path = call.split(".");
  const name = path.pop();
  const owner = path.reduce((value, part) => value[part], client);
  const answer = await owner[name](...args);
  if (!answer?.[Symbol.asyncIterator]) return answer;
  const told = [];
  for await (const each of answer) told.push(each);
  return told;
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      answer = { value: (await called(JSON.parse(line))) ?? null };
    } catch (error) {
      answer = { error: error.constructor.name, message: error.message };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}

main();
