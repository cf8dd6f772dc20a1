// The formatting of a message: CommonMark without headings, images, indented code and HTML, as a tree of plain values.
// `formatted-text.js` makes elements of it. The server's excerpts follow the same rules: chat/excerpts.py.

import MarkdownIt from "../vendor/markdown-it/markdown-it.esm.min.js";
import { linkAt, openable } from "./linkify.js";

/** @import { StateBlock, StateInline, Token } from "markdown-it" */
/** @import { Block, Inline } from "./types.js" */

const OFF = [
  "code",
  "entity",
  "heading",
  "hr",
  "html_block",
  "html_inline",
  "image",
  "lheading",
  "linkify",
  "reference",
  "table",
];
// Deeper quotes and lists are shown as text.
const MAX_NESTING = 20;
const SCHEME_BEFORE = /(?<![\p{L}\p{N}_])https?$/iu;

const parser = new MarkdownIt({ breaks: true, maxNesting: MAX_NESTING });
parser.disable(OFF, true);
parser.validateLink = (address) => openable(address) !== null;
parser.block.ruler.before("blockquote", "quote_sign", quoteSign);
parser.block.ruler.at("paragraph", paragraph);
parser.inline.ruler.at("newline", newline);
parser.inline.ruler.before("escape", "address", address);

/**
 * The blocks of a message.
 *
 * @param {string} text
 * @returns {Block[]}
 */
export function parse(text) {
  return blocksOf(new Cursor(parser.parse(text, {})), "");
}

/** The tokens of one level, read in order. */
class Cursor {
  #tokens;
  #next = 0;

  /** @param {Token[]} tokens */
  constructor(tokens) {
    this.#tokens = tokens;
  }

  /** The next token; undefined at the end. */
  take() {
    this.#next += 1;
    return this.#tokens[this.#next - 1];
  }
}

/**
 * @param {Cursor} tokens
 * @param {string} end  the type of the token that ends the list; "": all tokens
 * @returns {Block[]}
 */
function blocksOf(tokens, end) {
  /** @type {Block[]} */
  const blocks = [];
  for (let token = tokens.take(); token !== undefined && token.type !== end; token = tokens.take()) {
    switch (token.type) {
      case "inline":
        blocks.push({ kind: "paragraph", children: inlinesOf(new Cursor(token.children ?? []), "") });
        break;
      case "fence":
        blocks.push({ kind: "code", language: token.info.trim(), text: token.content });
        break;
      case "blockquote_open":
        blocks.push({ kind: "quote", children: blocksOf(tokens, "blockquote_close") });
        break;
      case "bullet_list_open":
        blocks.push({ kind: "list", start: null, items: itemsOf(tokens, "bullet_list_close") });
        break;
      case "ordered_list_open":
        blocks.push({
          kind: "list",
          start: Number(token.attrGet("start") ?? 1),
          items: itemsOf(tokens, "ordered_list_close"),
        });
        break;
      default: // The marks around a paragraph.
    }
  }
  return blocks;
}

/**
 * @param {Cursor} tokens
 * @param {string} end
 */
function itemsOf(tokens, end) {
  const items = [];
  for (let token = tokens.take(); token !== undefined && token.type !== end; token = tokens.take()) {
    if (token.type === "list_item_open") items.push(blocksOf(tokens, "list_item_close"));
  }
  return items;
}

/**
 * @param {Cursor} tokens
 * @param {string} end
 * @returns {Inline[]}
 */
function inlinesOf(tokens, end) {
  /** @type {Inline[]} */
  const inlines = [];
  for (let token = tokens.take(); token !== undefined && token.type !== end; token = tokens.take()) {
    const inline = inlineOf(token, tokens);
    const last = inlines.at(-1);
    if (typeof inline === "string" && typeof last === "string") inlines[inlines.length - 1] = last + inline;
    else if (inline !== "") inlines.push(inline);
  }
  return inlines;
}

/**
 * @param {Token} token
 * @param {Cursor} tokens  for what is inside of it
 * @returns {Inline}
 */
function inlineOf(token, tokens) {
  switch (token.type) {
    case "softbreak":
    case "hardbreak":
      return { kind: "break" };
    case "code_inline":
      return { kind: "code", text: token.content };
    case "strong_open":
      return { kind: "bold", children: inlinesOf(tokens, "strong_close") };
    case "em_open":
      return { kind: "italic", children: inlinesOf(tokens, "em_close") };
    case "s_open":
      return { kind: "strike", children: inlinesOf(tokens, "s_close") };
    case "address":
      return { kind: "link", href: String(token.meta?.href), children: [token.content], target: "" };
    case "link_open": {
      const href = String(token.attrGet("href") ?? "");
      const children = inlinesOf(tokens, "link_close");
      return { kind: "link", href, children, target: targetOf(href, children) };
    }
    default:
      return token.content;
  }
}

/**
 * What a link opens, where its text does not say so; "" where it does.
 *
 * @param {string} href
 * @param {Inline[]} children
 */
function targetOf(href, children) {
  const url = new URL(href);
  const target = url.protocol === "mailto:" ? url.pathname : url.host;
  return children.length === 1 && (children[0] === href || children[0] === target) ? "" : target;
}

/**
 * A quote begins with `>` and a space: `>:(` is text.
 *
 * @param {StateBlock} state
 * @param {number} line
 * @param {number} _endLine
 * @param {boolean} silent
 */
function quoteSign(state, line, _endLine, silent) {
  const start = state.bMarks[line] + state.tShift[line];
  if (silent || state.src[start] !== ">" || !/^>+[^\s>]/.test(state.src.slice(start, state.eMarks[line]))) return false;
  return paragraph(state, line);
}

/**
 * As markdown-it's own rule, but the indents of lines are kept.
 *
 * @param {StateBlock} state
 * @param {number} start
 */
function paragraph(state, start) {
  const before = state.parentType;
  state.parentType = "paragraph";
  const rules = state.md.block.ruler.getRules("paragraph");
  let line = start + 1;
  for (; line < state.lineMax && !state.isEmpty(line); line += 1) {
    // Deeper lines go on with the paragraph, and so does a line that left its list or quote.
    if (state.sCount[line] - state.blkIndent > 3 || state.sCount[line] < 0) continue;
    if (rules.some((rule) => rule(state, line, state.lineMax, true))) break;
  }
  state.line = line;
  state.parentType = before;
  const open = state.push("paragraph_open", "p", 1);
  open.map = [start, line];
  const inline = state.push("inline", "", 0);
  inline.content = state.getLines(start, line, state.blkIndent, false).trimEnd();
  inline.map = [start, line];
  inline.children = [];
  state.push("paragraph_close", "p", -1);
  return true;
}

/**
 * As markdown-it's own rule, but each end of a line is a break, and the next line keeps its indent.
 *
 * @param {StateInline} state
 * @param {boolean} silent
 */
function newline(state, silent) {
  if (state.src[state.pos] !== "\n") return false;
  if (!silent) {
    state.pending = state.pending.trimEnd();
    state.push("softbreak", "br", 0);
  }
  state.pos += 1;
  return true;
}

/**
 * An address in the text: the same as in a text without formatting. No mark has a meaning in it.
 *
 * @param {StateInline} state
 * @param {boolean} silent
 */
function address(state, silent) {
  if (state.linkLevel > 0 || !state.src.startsWith("://", state.pos)) return false;
  const scheme = SCHEME_BEFORE.exec(state.pending)?.[0];
  if (scheme === undefined) return false;
  const link = linkAt(state.src, state.pos - scheme.length, state.pos + 3);
  if (link === null) return false;
  if (!silent) {
    state.pending = state.pending.slice(0, -scheme.length);
    const token = state.push("address", "a", 0);
    token.content = link.text;
    token.meta = { href: link.href };
  }
  state.pos = link.end;
  return true;
}
