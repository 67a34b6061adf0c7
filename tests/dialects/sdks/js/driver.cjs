// Does with the JavaScript SDK what it is told: a call on each line of the input, what came of it on each line of the
// output. {"call": "actions.prompt", "args": [...]} is answered with {"value": ...} or {"error": ..., "message"}.
// An answer that streams is read to its end, as `tokens`.
const readline = require("readline");
const { createRequire } = require("module");

const { Klu } = createRequire(process.env.SDK_HOME + "/")("@kluai/core");
const client = new Klu(process.env.KLU_API_KEY);

async function called({ call, args }) {
  const path = call.split(".");
  const name = path.pop();
  const owner = path.reduce((value, part) => value[part], client);
  return plain(await owner[name](...args));
}

async function plain(answer) {
  if (answer?.streamingData) {
    const { streamingData, ...rest } = answer;
    const tokens = [];
    for await (const token of streamingData) tokens.push(token);
    return { ...rest, tokens };
  }
  // Where the SDK hands its HTTP client's whole answer on, what counts is the body.
  return answer?.config && answer?.headers ? answer.data : answer;
}

async function main() {
  for await (const line of readline.createInterface({ input: process.stdin })) {
    let answer;
    try {
      answer = { value: (await called(JSON.parse(line))) ?? null };
    } catch (error) {
      answer = { error: error.name === "Error" ? error.constructor.name : error.name, message: error.message };
    }
    process.stdout.write(JSON.stringify(answer) + "\n");
  }
}

main();
