// The body of a message as elements. Text is inserted as text, never as markup.

import { parse } from "./formatting.js";

/** @import { Block, Inline } from "./types.js" */

const TAGS = { bold: "strong", italic: "em", strike: "s" };
// They would show the text of a link in another order than it has.
const DIRECTION_MARKS = /[\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

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
      const items = block.items.map((blocks) => withDirection(made("li", blocks.map(blockElement))));
      if (block.start === null) return made("ul", items);
      const list = made("ol", items);
      list.setAttribute("start", String(block.start));
      return list;
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
