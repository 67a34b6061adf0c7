// A stream of events that goes on where it broke off: it asks again for what follows the last event that came whole.

const PAUSES = [500, 1000, 2000, 4000, 8000, 8000, 8000];

class Refused extends Error {
  constructor(status, message) {
    super(message);
    this.status = status;
  }
}

// Tells `heed` each event of the answer, and `wait` how long it will be until it asks again (0: it is being read).
// Ends after the last one; raises Refused, an AbortError where `signal` says so, or what the network said at last.
async function* events(ask, signal, wait) {
  let id = "", failures = 0;
  for (;;) {
    try {
      const response = await ask(id, signal);
      if (!response.ok) throw new Refused(response.status, await reason(response));
      wait(0);
      for await (const event of parsed(response.body)) {
        if (event.id && event.id !== id) [id, failures] = [event.id, 0];
        if (event.data === "[DONE]") return;
        yield event;
      }
    } catch (error) {
      if (signal.aborted || (error instanceof Refused && error.status !== 503)) throw error;
      if (!id || failures >= PAUSES.length) throw error;
    }
    if (!id) throw new Refused(0, "The connection was lost before the answer began.");
    if (failures >= PAUSES.length) throw new Refused(0, "The connection was lost.");
    const pause = PAUSES[failures++];
    wait(pause);
    await rest(pause, signal);
  }
}

async function reason(response) {
  const text = await response.text();
  try {
    return JSON.parse(text).error || text;
  } catch {
    return text || `The server answered ${response.status}.`;
  }
}

// What stands between two blank lines is an event: one cut off by the end of the body is none.
async function* parsed(body) {
  const reader = body.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const blocks = (text + value).split("\n\n");
      text = blocks.pop();
      for (const block of blocks) yield fields(block);
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function fields(block) {
  const event = { id: "", data: "" };
  for (const line of block.split("\n")) {
    const [, name, value] = /^(\w+): ?(.*)$/.exec(line) ?? [];
    if (name in event) event[name] = value;
  }
  return event;
}

// Also over at once where the machine comes back to its network.
function rest(milliseconds, signal) {
  return new Promise((resolve, reject) => {
    const stop = () => reject(new DOMException("Stopped", "AbortError"));
    const timer = setTimeout(resolve, milliseconds);
    window.addEventListener("online", () => { clearTimeout(timer); resolve(); }, { once: true });
    signal.addEventListener("abort", () => { clearTimeout(timer); stop(); }, { once: true });
  });
}
