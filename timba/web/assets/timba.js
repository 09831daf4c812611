// The entry point of the script of all pages: each module sets up the elements it finds on the page.

import { setUpBatchUpload } from "./script/upload.js";
import { setUpButtons, setUpPhoneLinks } from "./script/buttons.js";
import { setUpConfirmations, setUpPasswordToggles } from "./script/confirmations.js";
import { setUpCsrfTokens } from "./script/http.js";
import { setUpDateInputs } from "./script/date-inputs.js";
import { setUpFormsInPlace } from "./script/in-place.js";
import { setUpGatePage } from "./script/gate.js";
import { setUpLiveUpdates } from "./script/live-updates.js";
import { setUpLocalTimes } from "./script/local-times.js";
import { setUpLogEntry } from "./script/log-entry.js";
import { setUpNotices } from "./script/notices.js";
import { setUpSelection } from "./script/selection.js";
import { setUpThumbnails } from "./script/thumbnails.js";
import { setUpWholePrint } from "./script/whole-print.js";

setUpLocalTimes();
setUpConfirmations();
setUpPasswordToggles();
setUpDateInputs();
setUpCsrfTokens();
setUpLiveUpdates();
setUpBatchUpload();
setUpLogEntry();
setUpGatePage();
setUpButtons();
setUpPhoneLinks();
setUpFormsInPlace();
setUpNotices();
setUpSelection();
setUpThumbnails();
setUpWholePrint();
