// A private room of others, on its page in the admin: becoming a member leaves what is typed there as it is.

import { sendInPlace } from "./in-place.js";

sendInPlace(document.getElementById("outsider"));
