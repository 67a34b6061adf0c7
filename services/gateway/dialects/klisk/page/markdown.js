"use strict";
// Markdown as models write it, made into elements: never into HTML text, so that nothing an answer says can run.

const INLINE = /(`+)([\s\S]+?)\1|\*\*([\s\S]+?)\*\*|\*([^\s*][^*]*?)\*|\[([^\]]+)\]\((\S+?)\)|(https?:\/\/[^\s<>()]+[^\s<>().,;:!?"'])/;
const MARK = { heading: /^(#{1,6})\s+(.*)$/, fence: /^\s*(```+|~~~+)/, item: /^(\s*)([-*+]|\d+[.)])\s+(.*)$/, quote: /^>\s?/, row: /^\s*\|.*\|\s*$/, rule: /^\s*([-*_])(\s*\1){2,}\s*$/ };

function element(name, attributes = {}, ...children) {
  const made = Object.assign(document.createElement(name), attributes);
  made.append(...children);
  return made;
}

function inline(text) {
  const found = INLINE.exec(text);
  if (!found) return [text];
  const [all, , code, strong, soft, label, target, address] = found;
  const before = text.slice(0, found.index), after = inline(text.slice(found.index + all.length));
  return [before, marked(all, { code, strong, soft, label, target, address }), ...after];
}

function marked(all, { code, strong, soft, label, target, address }) {
  if (code !== undefined) return element("code", {}, code.trim() || code);
  if (strong !== undefined) return element("strong", {}, ...inline(strong));
  if (soft !== undefined) return element("em", {}, ...inline(soft));
  const href = target ?? address;
  if (!/^(https?:|mailto:)/i.test(href)) return all;
  return element("a", { href, target: "_blank", rel: "noopener noreferrer" }, label ?? address);
}

function markdown(text) {
  const lines = text.split("\n"), blocks = [];
  for (let at = 0; at < lines.length;) {
    const [block, next] = blockAt(lines, at);
    if (block) blocks.push(block);
    at = next;
  }
  return blocks;
}

function blockAt(lines, at) {
  const line = lines[at];
  if (!line.trim()) return [null, at + 1];
  if (MARK.fence.test(line)) return fenced(lines, at);
  if (MARK.rule.test(line)) return [element("hr"), at + 1];
  const heading = MARK.heading.exec(line);
  if (heading) return [element(`h${Math.min(4, heading[1].length + 1)}`, {}, ...inline(heading[2])), at + 1];
  if (MARK.quote.test(line)) return quoted(lines, at);
  if (MARK.item.test(line)) return listed(lines, at);
  if (MARK.row.test(line) && /^[\s|:-]+$/.test(lines[at + 1] ?? "x")) return table(lines, at);
  return paragraph(lines, at);
}

function until(lines, at, ends) {
  let end = at + 1;
  while (end < lines.length && !ends(lines[end])) end++;
  return end;
}

function fenced(lines, at) {
  const mark = MARK.fence.exec(lines[at])[1];
  const end = until(lines, at, (line) => line.trim().startsWith(mark));
  return [element("pre", { tabIndex: 0 }, element("code", {}, lines.slice(at + 1, end).join("\n"))), end + 1];
}

function quoted(lines, at) {
  const end = until(lines, at, (line) => !MARK.quote.test(line));
  const inside = lines.slice(at, end).map((line) => line.replace(MARK.quote, ""));
  return [element("blockquote", {}, ...markdown(inside.join("\n"))), end];
}

function listed(lines, at) {
  const first = MARK.item.exec(lines[at]), ordered = /\d/.test(first[2]), depth = first[1].length;
  const list = element(ordered ? "ol" : "ul", ordered ? { start: parseInt(first[2], 10) } : {});
  while (at < lines.length) {
    const item = MARK.item.exec(lines[at]);
    if (!item || item[1].length < depth) break;
    const end = until(lines, at, (line) => !line.trim() || indent(line) <= depth);
    const rest = lines.slice(at + 1, end).join("\n");
    list.append(element("li", {}, ...inline(item[3]), ...(rest ? markdown(rest.replace(/^ {1,3}(?=\S)/gm, "")) : [])));
    at = !lines[end]?.trim() && MARK.item.test(lines[end + 1] ?? "") ? end + 1 : end;
  }
  return [list, at];
}

function indent(line) {
  return line.length - line.trimStart().length;
}

function table(lines, at) {
  const end = until(lines, at, (line) => !MARK.row.test(line));
  const cells = (line, name) => line.trim().slice(1, -1).split("|").map((cell) => element(name, {}, ...inline(cell.trim())));
  const head = element("tr", {}, ...cells(lines[at], "th"));
  const rows = lines.slice(at + 2, end).map((line) => element("tr", {}, ...cells(line, "td")));
  return [element("table", {}, element("thead", {}, head), element("tbody", {}, ...rows)), end];
}

function paragraph(lines, at) {
  const ends = (line) => !line.trim() || Object.values(MARK).some((mark) => mark !== MARK.row && mark.test(line));
  const end = until(lines, at, ends), made = element("p");
  lines.slice(at, end).forEach((line, n) => made.append(...(n ? [element("br")] : []), ...inline(line)));
  return [made, end];
}
