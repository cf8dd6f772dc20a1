import assert from "node:assert/strict";
import { test } from "node:test";

import { give, load } from "./served.js";

/** @param {object[] | undefined} catalogues */
async function failureTexts(catalogues) {
  give("hubbubTexts", catalogues);
  return (await load("chat/static/chat/js/failure-texts.js")).failureText;
}

const GERMAN = {
  plural: () => 0,
  texts: {
    "This room is archived.": "Dieser Raum ist archiviert.",
    "A message may have at most %(limit)s characters.": "Höchstens %(limit)s Zeichen.",
    "Use at least one letter or digit.": "Mindestens ein Buchstabe.",
    "Server error; try again.": "Fehler des Servers.",
    Title: "Titel",
  },
};

test("a refusal is said by its code or its detail in the language of the page, an unknown one as it is", async () => {
  const failureText = await failureTexts([GERMAN]);
  /** @type {[code: string, message: string, text: string][]} */
  const cases = [
    ["internal", "internal error", "Fehler des Servers."],
    ["forbidden", "this room is archived", "Dieser Raum ist archiviert."],
    ["too_long", "a message may have at most 4000 characters", "Höchstens 4000 Zeichen."],
    ["invalid", "title: Use at least one letter or digit.", "Titel: Mindestens ein Buchstabe."],
    ["invalid", "nobody here has the name $& (x)", "Nobody here has the name $& (x)."],
    ["conflict", "something new", "Something new."],
  ];
  for (const [code, message, text] of cases) assert.equal(failureText({ code, message }), text);
});
