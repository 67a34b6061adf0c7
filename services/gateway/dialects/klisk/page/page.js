// The page: what a person writes goes out, what the agent says comes in. `conversation` is all that it remembers.

const at = (id) => document.getElementById(id);
const here = location.pathname.replace(/\/$/, "");
const asked = new URLSearchParams(location.search), hidden = new URLSearchParams(location.hash.slice(1));
const TYPES = ["image/jpeg", "image/png", "image/gif", "image/webp", "application/pdf"];
const MOST_BYTES = 20 * 1024 * 1024;

const conversation = { latest: null, answer: null, files: [] };
let key = hidden.get("key") ?? asked.get("key") ?? remembered("key");

// Storage may be forbidden where the page is inside another.
function remembered(name, value) {
  try {
    if (value !== undefined) sessionStorage.setItem(name, value);
    return sessionStorage.getItem(name) ?? "";
  } catch {
    return "";
  }
}

function headers(more = {}) {
  return key ? { Authorization: `Bearer ${key}`, ...more } : more;
}

function status(text, wrong = false) {
  at("status").textContent = text;
  at("status").classList.toggle("wrong", wrong);
}

// ---- opening

async function open() {
  dress(remembered("theme") || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  document.body.classList.toggle("embedded", asked.get("embed") === "1");
  if (key) {
    remembered("key", key);
    history.replaceState(null, "", location.pathname + (asked.get("embed") === "1" ? "?embed=1" : ""));
  }
  try {
    introduce(await (await fetch(`${here}/api/info`, { headers: headers() })).json());
  } catch {
    status("The server can't be reached", true);
  }
}

function introduce(info) {
  const name = asked.get("agent") || info.deploy.chat.title || info.name;
  document.title = at("title").textContent = name;
  at("avatar").textContent = [...name][0]?.toUpperCase() ?? "";
  at("welcome").textContent = info.deploy.chat.welcome_message || (info.agent ? `Say something to ${name}.` : "There is no agent here yet: make an action.");
  at("message").placeholder = info.deploy.widget.placeholder;
  at("attach").hidden = !info.deploy.chat.attachments;
  status("Ready");
  if (info.auth_required && !key) at("door").showModal();
  else at("message").focus();
}

function dress(theme) {
  document.documentElement.dataset.theme = theme;
}

at("theme").addEventListener("click", () => {
  const theme = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  dress(theme);
  remembered("theme", theme);
});

at("enter").addEventListener("submit", (event) => {
  event.preventDefault();
  key = remembered("key", at("key").value.trim()) || at("key").value.trim();
  at("refused").hidden = true;
  at("door").close();
  open();
});

at("anew").addEventListener("click", () => {
  conversation.answer?.stop();
  conversation.latest = null;
  idle();
  at("log").replaceChildren(at("welcome"));
  at("welcome").hidden = false;
  at("message").focus();
});

// ---- writing

at("composer").addEventListener("submit", (event) => {
  event.preventDefault();
  if (conversation.answer) return conversation.answer.stop();
  const text = at("message").value;
  if (!text.trim() && !conversation.files.length) return;
  const files = conversation.files.splice(0);
  at("message").value = "";
  showChosen();
  say({ message: text, attachments: files });
});

at("message").addEventListener("keydown", (event) => {
  if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
    event.preventDefault();
    if (!conversation.answer) at("composer").requestSubmit();
  }
});

at("message").addEventListener("input", fit);
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape" || at("door").open) return;
  if (conversation.answer) conversation.answer.stop();
  else if (parent !== window) parent.postMessage("polyvox: close", "*");
});

function fit() {
  const box = at("message");
  box.style.height = "auto";
  box.style.height = `${box.scrollHeight}px`;
  at("send").disabled = !conversation.answer && !box.value.trim() && !conversation.files.length;
}

// ---- attaching

at("attach").addEventListener("click", () => at("files").click());
at("files").addEventListener("change", () => { choose(at("files").files); at("files").value = ""; });
at("message").addEventListener("paste", (event) => { if (event.clipboardData.files.length) { event.preventDefault(); choose(event.clipboardData.files); } });
for (const kind of ["dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (event) => {
    event.preventDefault();
    document.body.classList.toggle("dropping", kind === "dragover");
    if (kind === "drop") choose(event.dataTransfer.files);
  });
}

async function choose(list) {
  // The list is emptied when its input is.
  for (const file of [...list]) {
    if (!TYPES.includes(file.type)) status(`${file.name} is neither an image nor a PDF`, true);
    else if (file.size > MOST_BYTES) status(`${file.name} is larger than 20 MB`, true);
    else conversation.files.push({ name: file.name, mime_type: file.type, data: await base64(file) });
  }
  showChosen();
  at("message").focus();
}

function base64(file) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(reader.result.slice(reader.result.indexOf(",") + 1));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(file);
  });
}

function showChosen() {
  const shown = conversation.files.map((file, n) => {
    const remove = element("button", { type: "button", className: "plain", title: "Remove" }, "✕");
    remove.setAttribute("aria-label", `Remove ${file.name}`);
    remove.addEventListener("click", () => { conversation.files.splice(n, 1); showChosen(); at("message").focus(); });
    return element("li", { className: "file" }, ...picture(file), remove);
  });
  at("chosen").replaceChildren(...shown);
  at("chosen").hidden = !shown.length;
  fit();
}

function picture(file) {
  const image = file.mime_type.startsWith("image/");
  const sign = image ? element("img", { src: `data:${file.mime_type};base64,${file.data}`, alt: "" }) : element("span", { className: "kind" }, "PDF");
  return [sign, element("span", { className: "name", title: file.name }, file.name)];
}

// ---- talking

async function say(body) {
  at("welcome").hidden = true;
  const files = body.attachments.map((file) => element("span", { className: "file" }, ...picture(file)));
  const said = element("div", { className: "turn user" });
  if (files.length) said.append(element("div", { className: "files" }, ...files));
  if (body.message.trim()) said.append(element("div", { className: "text" }, body.message));
  at("log").append(said);
  await answer(body);
}

async function answer(body) {
  const shown = new Answer(body);
  conversation.answer = shown;
  document.body.classList.add("busy");
  at("send").setAttribute("aria-label", "Stop the answer");
  at("log").setAttribute("aria-busy", "true");
  fit();
  await shown.read();
  if (conversation.answer === shown) idle();
}

function idle() {
  conversation.answer = null;
  document.body.classList.remove("busy");
  at("send").setAttribute("aria-label", "Send");
  at("log").setAttribute("aria-busy", "false");
  fit();
}

class Answer {
  constructor(body) {
    this.body = body;
    this.text = "";
    this.run = "";
    this.attempt = this.said = "1";
    this.tools = [];
    this.stopping = new AbortController();
    this.before = conversation.latest;
    this.shown = element("div", { className: "text" });
    this.turn = element("div", { className: "turn agent busy" }, this.shown);
    at("log").append(this.turn);
    this.scroll(true);
  }

  async read() {
    status("Writing…");
    try {
      for await (const event of events((id, signal) => this.ask(id, signal), this.stopping.signal, this.wait)) this.heed(event);
    } catch (error) {
      this.fail(error);
    }
    this.turn.classList.remove("busy");
    this.draw();
    if (this.text) this.offerCopy();
  }

  ask(id, signal) {
    const more = { "Content-Type": "application/json", ...(id && { "Last-Event-ID": id }) };
    const wanted = { ...this.body, agent_name: asked.get("agent") || undefined, state: this.before ? { previous_response_id: this.before } : undefined };
    return fetch(`${here}/api/chat`, { method: "POST", headers: headers(more), body: JSON.stringify(id ? {} : wanted), signal });
  }

  wait(milliseconds) {
    if (milliseconds) status("Connection lost: trying again…", true);
    else status("Writing…");
  }

  heed({ id, data }) {
    if (id) this.place(id);
    if (!data) return;
    const event = JSON.parse(data);
    if (["token", "thinking", "tool_call"].includes(event.type)) this.renew();
    if (event.type === "token") this.write(this.text + event.data);
    else if (event.type === "thinking") this.think(event.data);
    else if (event.type === "tool_call") this.call(event.data);
    else if (event.type === "tool_result") this.result(event.data);
    else if (event.type === "done") this.end(event);
    else if (event.type === "error") this.complain(event.data);
  }

  // `<run>-<n>`, or `<run>-<attempt>.<n>` where it began anew.
  place(id) {
    const [, run, attempt] = /^(.*)-(?:(\d+)\.)?\d+$/.exec(id);
    [this.run, this.attempt] = [run, attempt ?? "1"];
  }

  // What an earlier attempt said and thought is void as soon as a later one says something; what it did stays.
  renew() {
    if (this.said === this.attempt) return;
    this.said = this.attempt;
    this.thoughts?.remove();
    this.thoughts = undefined;
    this.write("");
  }

  write(text) {
    this.text = text;
    if (this.thoughts) this.thoughts.firstChild.textContent = "Thought about it";
    this.drawing ??= requestAnimationFrame(() => this.draw());
  }

  draw() {
    this.drawing = undefined;
    const near = this.isNear();
    this.shown.replaceChildren(...markdown(this.text));
    this.scroll(near);
  }

  think(text) {
    if (!this.thoughts) {
      this.thoughts = element("details", { className: "thinking" }, element("summary", {}, "Thinking…"), element("div"));
      this.turn.insertBefore(this.thoughts, this.shown);
    }
    this.thoughts.lastChild.append(text);
    this.scroll(this.isNear());
  }

  call({ tool, arguments: given }) {
    const summary = element("summary", {}, element("b", {}, tool), element("span", {}, " · running…"));
    const inside = element("div", {}, element("p", { className: "label" }, "Asked with"), element("pre", { tabIndex: 0 }, given));
    const shown = element("details", { className: "tool" }, summary, inside);
    this.tools.push(shown);
    this.turn.insertBefore(shown, this.shown);
    this.scroll(true);
  }

  // Results come in the order of their calls.
  result({ output }) {
    const shown = this.tools.find((tool) => !tool.dataset.over);
    if (!shown) return;
    shown.dataset.over = "yes";
    const failed = output.startsWith(`Tool '${shown.querySelector("b").textContent}' raised: `);
    shown.querySelector("summary span").textContent = failed ? " · failed" : " · done";
    shown.lastChild.append(element("p", { className: "label" }, "Answered"), element("pre", { tabIndex: 0 }, output));
  }

  end({ data, response_id }) {
    if (conversation.answer === this) conversation.latest = response_id;
    this.write(data);
    status("Ready");
  }

  // Stopped, an answer keeps what it has said, and the conversation goes on from it.
  stop() {
    if (!this.run) this.stopping.abort();
    else fetch(`${here}/api/chat/resp_${this.run}/cancel`, { method: "POST", headers: headers() }).catch(() => this.stopping.abort());
  }

  fail(error) {
    if (error.name === "AbortError") return status("Stopped");
    if (error.status === 401) {
      at("refused").hidden = !key;
      at("door").showModal();
    }
    this.complain(error instanceof Refused ? error.message : "The connection was lost.");
  }

  complain(message) {
    status("Something went wrong", true);
    const again = element("button", { type: "button", className: "plain" }, "Try again");
    const box = element("div", { className: "wrong-box" }, element("span", {}, message), again);
    box.setAttribute("role", "alert");
    again.addEventListener("click", () => {
      if (conversation.answer) return;
      this.turn.remove();
      answer(this.body);
    });
    this.turn.append(box);
    this.scroll(true);
  }

  offerCopy() {
    const copy = element("button", { type: "button", className: "plain" }, "Copy");
    copy.addEventListener("click", async () => {
      try {
        await navigator.clipboard.writeText(this.text);
        copy.textContent = "Copied";
      } catch {
        copy.textContent = "The browser does not let it be copied";
      }
    });
    this.turn.append(element("div", { className: "tools-of-answer" }, copy));
  }

  isNear() {
    const log = at("log");
    return log.scrollHeight - log.scrollTop - log.clientHeight < 120;
  }

  scroll(near) {
    if (near) at("log").scrollTop = at("log").scrollHeight;
  }
}

fit();
open();
