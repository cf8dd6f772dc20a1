// The body of a message as elements. Text is inserted as text, never as markup.

import { parse } from "./formatting.js";

/** @import { Block, Inline } from "./types.js" */

const TAGS = { bold: "strong", italic: "em", strike: "s" };
// They would show the text of a link in another order than it has.
const DIRECTION_MARKS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
const RIGHT_TO_LEFT = /[\u0590-\u08ff\ufb1d-\ufdff\ufe70-\ufefc\u{10800}-\u{10fff}\u{1e800}-\u{1efff}]/u;

/**
 * @param {string} body
 * @returns {DocumentFragment}
 */
export function formatted(body) {
  const fragment = document.createDocumentFragment();
  fragment.append(...parse(body).map(blockElement));
  return fragment;
}

/**
 * @param {Block} block
 * @returns {HTMLElement}
 */
function blockElement(block) {
  switch (block.kind) {
    case "paragraph":
      return withDirection(made("p", block.children.map(inlineNode)));
    case "quote":
      return made("blockquote", block.children.map(blockElement));
    case "code":
      return codeElement(block.language, block.text);
    case "list": {
      const items = block.items.map((blocks) => made("li", blocks.map(blockElement)));
      const list = made(block.start === null ? "ul" : "ol", items);
      if (block.start !== null) list.setAttribute("start", String(block.start));
      return asItsText(list);
    }
  }
}

/**
 * In the direction of its own text.
 *
 * @param {HTMLElement} element
 */
function withDirection(element) {
  element.dir = "auto";
  return element;
}

/**
 * A list in the direction of its first letter: its numbers stand where its text begins. `auto` would not look into its items.
 *
 * @param {HTMLElement} list
 */
function asItsText(list) {
  const letter = /\p{L}/u.exec(list.textContent ?? "")?.[0];
  if (letter !== undefined) list.dir = RIGHT_TO_LEFT.test(letter) ? "rtl" : "ltr";
  return list;
}

/**
 * @param {string} language  "": none was named
 * @param {string} text
 */
function codeElement(language, text) {
  const code = made("code", [text.replace(/\n$/, "")]);
  code.dir = "ltr";
  const pre = made("pre", [code]);
  pre.tabIndex = 0; // It scrolls sideways, also by keyboard.
  if (language === "") return pre;
  const figure = made("figure", [made("figcaption", [language]), pre]);
  figure.className = "code";
  return figure;
}

/**
 * @param {Inline} inline
 * @returns {Node | string}
 */
function inlineNode(inline) {
  if (typeof inline === "string") return inline;
  switch (inline.kind) {
    case "break":
      return "\n"; // Paragraphs keep their line breaks: text that is copied has them.
    case "code":
      return made("code", [inline.text]);
    case "link":
      return linkElement(inline.href, inline.children, inline.target);
    default:
      return made(TAGS[inline.kind], inline.children.map(inlineNode));
  }
}

/**
 * @param {string} href
 * @param {Inline[]} children
 * @param {string} target  shown behind the text; "": the text says what the link opens
 */
function linkElement(href, children, target) {
  const link = /** @type {HTMLAnchorElement} */ (made("a", children.map(inlineNode)));
  link.href = href;
  link.rel = "noopener noreferrer nofollow";
  link.target = "_blank";
  for (const text of textsIn(link)) text.data = text.data.replace(DIRECTION_MARKS, "");
  if (target === "") {
    link.dir = "ltr";
  } else {
    const shown = made("span", [` (${target})`]);
    shown.className = "link-target";
    shown.dir = "ltr";
    link.append(shown);
  }
  return link;
}

/**
 * @param {Node} node
 * @returns {Text[]}
 */
function textsIn(node) {
  return [...node.childNodes].flatMap((child) =>
    child.nodeType === 3 ? [/** @type {Text} */ (child)] : textsIn(child),
  );
}

/**
 * @param {string} tag
 * @param {(Node | string)[]} content
 */
function made(tag, content) {
  const element = document.createElement(tag);
  element.append(...content);
  return element;
}
