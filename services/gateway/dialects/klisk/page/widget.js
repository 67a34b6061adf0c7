// Puts a chat into any page: a round button, and behind it the chat page in a frame.
//   <script src="https://…/klisk/widget.js" data-key="…" data-position="bottom-left" data-color="#0a7" async></script>
(() => {
  "use strict";
  const script = document.currentScript;
  if (!script || document.getElementById("polyvox-chat")) return;
  const page = new URL("__PAGE__", script.src);
  const { key = "", position, color, width, height } = script.dataset;

  async function settings() {
    try {
      const headers = key ? { Authorization: `Bearer ${key}` } : {};
      return (await (await fetch(new URL("api/info", page), { headers })).json()).deploy.widget;
    } catch {
      return {};
    }
  }

  function length(text, otherwise) {
    return /^\d+$/.test(text ?? "") ? `${text}px` : text || otherwise;
  }

  function style(given) {
    const side = (position || given.position || "bottom-right").endsWith("left") ? "left" : "right";
    const frame = `width:min(${length(width || given.width, "400px")},calc(100vw - 32px));height:min(${length(height || given.height, "600px")},calc(100vh - 112px))`;
    const shape = "border:0;position:fixed;z-index:2147483000;";
    return {
      button: `${shape}${side}:20px;bottom:20px;width:56px;height:56px;border-radius:50%;cursor:pointer;padding:0;display:grid;place-items:center;color:#fff;background:${color || given.color || "#2f5bea"};box-shadow:0 6px 24px rgb(20 25 40/28%)`,
      frame: `${shape}${side}:20px;bottom:88px;${frame};border-radius:16px;background:#fff;box-shadow:0 12px 48px rgb(20 25 40/28%)`,
    };
  }

  function drawn(path) {
    return `<svg viewBox="0 0 24 24" width="26" height="26" fill="none" stroke="currentColor" stroke-width="1.9" stroke-linecap="round" stroke-linejoin="round" aria-hidden="true"><path d="${path}"/></svg>`;
  }

  const BUBBLE = drawn("M4 5.5h16v11H11l-4.5 3.5v-3.5H4z"), CROSS = drawn("M6 6l12 12M18 6L6 18");

  function mount(given) {
    const styles = style(given), button = document.createElement("button");
    let frame = null;

    function show(open) {
      if (open && !frame) {
        frame = document.createElement("iframe");
        Object.assign(frame, { title: "Chat", allow: "clipboard-write" });
        // After the #, a key stays in the browser.
        frame.src = new URL("?embed=1", page) + (key ? `#key=${encodeURIComponent(key)}` : "");
        frame.style.cssText = styles.frame;
        button.before(frame);
      }
      if (frame) frame.hidden = !open;
      if (frame) frame.style.display = open ? "block" : "none";
      button.innerHTML = open ? CROSS : BUBBLE;
      button.setAttribute("aria-expanded", String(open));
      button.setAttribute("aria-label", open ? "Close the chat" : "Open the chat");
      if (open) frame.focus();
    }

    const isOpen = () => button.getAttribute("aria-expanded") === "true";
    Object.assign(button, { id: "polyvox-chat", type: "button" });
    button.style.cssText = styles.button;
    button.addEventListener("click", () => show(!isOpen()));
    function close() {
      if (!isOpen()) return;
      show(false);
      button.focus();
    }
    document.addEventListener("keydown", (event) => event.key === "Escape" && close());
    window.addEventListener("message", (event) => {
      if (frame && event.source === frame.contentWindow && event.data === "polyvox: close") close();
    });
    document.body.append(button);
    show(Boolean(given.auto_open));
  }

  settings().then(mount);
})();
