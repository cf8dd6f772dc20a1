// The field of a room's draft in a tab, as a user writes in it.

import { SLUG } from "./tabs.js";

/** @import { Tab } from "./tabs.js" */

/** The field of a room in a tab. */
export class Field {
  text = "";
  hasFocus = false;
  isTouched = false;

  /** @param {Tab} tab */
  constructor(tab) {
    this.draft = tab.drafts.room(SLUG, {
      show: (text) => {
        this.text = text;
      },
      isHeld: () => this.hasFocus && this.isTouched,
    });
    this.text = this.draft.text;
  }

  focus() {
    this.draft.sync();
    this.hasFocus = true;
  }

  blur() {
    this.hasFocus = false;
    this.isTouched = false;
    this.draft.sync();
  }

  /** @param {string} key */
  press(key) {
    this.fill(this.text + key);
  }

  /** @param {string} text */
  fill(text) {
    this.isTouched = true;
    this.text = this.draft.typed(text);
  }

  send() {
    const { text } = this;
    this.isTouched = true;
    this.draft.sent();
    this.text = "";
    return text;
  }
}
