// The one script of every page: each module looks for the pieces it serves and leaves the rest alone.

import { answerInPlace, showPasswords } from "./script/answers.js";
import { renewTokens } from "./script/http.js";
import { boundByDays } from "./script/bounds.js";
import { serveButtons, turnPagesOnPhones } from "./script/buttons.js";
import { takeEntries } from "./script/entry.js";
import { openGate } from "./script/gate.js";
import { keepLive } from "./script/live.js";
import { tellLocalTimes } from "./script/times.js";
import { takeUploads } from "./script/upload.js";

tellLocalTimes();
answerInPlace();
showPasswords();
boundByDays();
renewTokens();
keepLive();
takeUploads();
takeEntries();
openGate();
serveButtons();
turnPagesOnPhones();
