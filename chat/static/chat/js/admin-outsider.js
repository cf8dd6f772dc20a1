// The admin page of a private room, opened by a user outside it: joining keeps the input in the page's other forms.

import { find } from "../../hubbub/js/dom.js";
import { sendInPlace } from "./in-place.js";

sendInPlace(find(document, "#outsider", HTMLFormElement));
